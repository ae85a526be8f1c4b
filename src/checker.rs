//! Who may write: checkers decide it, the mode carries it, the gate asks for it.

pub mod permit;
pub mod status;
