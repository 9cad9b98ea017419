//! Pages of what has names.

use crate::refusal::{Code, Refusal};

const PAGE: usize = 100;
const PAGE_MAX: usize = 1_000;

/// The items whose names come after one, as many as a page has, and the name after which the next page begins.
pub fn listed<T>(
    items: Vec<T>,
    size: Option<i64>,
    after: &str,
    name: impl Fn(&T) -> &str,
) -> Result<(Vec<T>, Option<String>), Refusal> {
    let size = match size.map(usize::try_from) {
        None => PAGE,
        Some(Ok(size @ 1..)) => size.min(PAGE_MAX),
        Some(_) => {
            let size = size.unwrap_or_default();
            let detail = format!("page_size is {size}; it is 1 at least");
            return Err(Refusal::new(Code::InvalidParameter, detail));
        }
    };
    let mut left: Vec<T> = items.into_iter().filter(|item| after.is_empty() || name(item) > after).collect();
    let more = left.len() > size;
    left.truncate(size);
    let next = left.last().filter(|_| more).map(|item| name(item).to_owned());
    Ok((left, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_one_another() {
        let items = || vec!["a".to_owned(), "b".to_owned(), "c".to_owned()];
        let page = |after: &str| listed(items(), Some(2), after, |item| item).expect("a page");
        assert_eq!(page(""), (vec!["a".to_owned(), "b".to_owned()], Some("b".to_owned())));
        assert_eq!(page("b"), (vec!["c".to_owned()], None));
        assert!(listed(items(), Some(0), "", |item| item).is_err());
        assert!(listed(items(), Some(-1), "", |item| item).is_err());
    }
}
