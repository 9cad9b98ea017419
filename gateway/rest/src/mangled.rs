//! Request bodies as they come from clients that are broken or mean harm: good ones with parts replaced, left out or doubled.

use proptest::prelude::*;
use proptest::sample::Index;

/// What is put in the place of something else.
const PIECES: [&[u8]; 14] = [
    b"null",
    b"[",
    b"]",
    b"{",
    b"}",
    b"\"",
    b"\\u",
    b"\\ud800",
    b"1e400",
    b"-0",
    b"99999999999999999999",
    b"\xff",
    b"\0",
    b"\n",
];

/// One change: at a place, over a length, to a piece, to bytes or to a copy of what stands elsewhere.
type Change = (Index, Index, Replacement);

#[derive(Clone, Debug)]
enum Replacement {
    Piece(&'static [u8]),
    Bytes(Vec<u8>),
    Copy(Index),
    Nothing,
}

/// The body as it is, or changed in a few places.
pub(crate) fn mangled(body: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let replacement = prop_oneof![
        prop::sample::select(PIECES.to_vec()).prop_map(Replacement::Piece),
        prop::collection::vec(any::<u8>(), 0..9).prop_map(Replacement::Bytes),
        any::<Index>().prop_map(Replacement::Copy),
        Just(Replacement::Nothing),
    ];
    let changes = prop::collection::vec((any::<Index>(), any::<Index>(), replacement), 0..5);
    (body, changes).prop_map(|(body, changes)| changes.into_iter().fold(body, change))
}

fn change(mut body: Vec<u8>, (place, length, replacement): Change) -> Vec<u8> {
    let from = place.index(body.len() + 1);
    let length = length.index(16).min(body.len() - from);
    let new = match replacement {
        Replacement::Piece(piece) => piece.to_vec(),
        Replacement::Bytes(bytes) => bytes,
        Replacement::Copy(elsewhere) => {
            let start = elsewhere.index(body.len() + 1);
            body[start..body.len().min(start + 32)].to_vec()
        }
        Replacement::Nothing => Vec::new(),
    };
    body.splice(from..from + length, new);
    body
}
