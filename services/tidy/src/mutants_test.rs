//! A mutant that no longer applies tests nothing: what each patch takes away must stand in its file.

use crate::tree::{exists, files, read};

/// What the parts of a patch for one file expect to find there, in order.
fn expected(patch: &str) -> Vec<(&str, Vec<String>)> {
    let mut expected: Vec<(&str, Vec<String>)> = Vec::new();
    for line in patch.lines() {
        if let Some(path) = line.strip_prefix("--- a/") {
            expected.push((path, Vec::new()));
        } else if let (Some((_, parts)), true) = (expected.last_mut(), line.starts_with("@@")) {
            parts.push(String::new());
        } else if let Some(part) = expected.last_mut().and_then(|(_, parts)| parts.last_mut())
            && let Some(kept) = line.strip_prefix([' ', '-'])
        {
            part.push_str(kept);
            part.push('\n');
        }
    }
    expected
}

#[test]
fn every_mutant_applies() {
    for patch in files(".patch") {
        let (name, (folder, _)) = (&patch.path, patch.path.split_once("/tests/").expect("beside tests"));
        let changes = expected(&patch.text);
        assert!(!changes.is_empty(), "{name} changes nothing");
        for (path, parts) in changes {
            // Those that change several crates name files from the root.
            let path = [format!("{folder}/{path}"), path.to_owned()].into_iter().find(|path| exists(path));
            let path = path.unwrap_or_else(|| panic!("{name}: a file that it changes is not there"));
            let text = read(&path);
            let mut rest = text.as_str();
            assert!(!parts.is_empty(), "{name} changes nothing of {path}");
            for part in parts {
                let at = rest.find(&part).unwrap_or_else(|| panic!("{name}: {path} has no\n{part}"));
                rest = &rest[at + part.len()..];
            }
        }
    }
}
