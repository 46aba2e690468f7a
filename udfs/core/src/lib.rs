//! The rules of Tributary's functions, pure: slices, integers and structs in, numbers out.
//!
//! Nothing here knows Arrow, SQL, NULL, a clock or a file; `tributary-udfs` translates between
//! those and these rules. `README.md` beside this crate says where to start.

pub mod attribution;
pub mod channels;
pub mod funnel;
pub mod sessions;
pub mod tags;
pub mod url;
