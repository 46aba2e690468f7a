//! The rules by example, published answers, and the fast code against slow obvious code.
mod goldens;
