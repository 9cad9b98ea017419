//! Rules of this repository that no lint knows, kept by the tests below. It has no dependencies, so it is checked first.
#![forbid(unsafe_code)]
#![cfg(test)]

mod arrows_test;
mod docs_test;
mod files_test;
mod mutants_test;
mod tree;
