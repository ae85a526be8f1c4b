//! Who takes part in the protocol.

/// Who this instance is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// `leaseOwner`: a name for people, not empty.
    pub owner: String,
    /// A uuid that no other process, past or present, has.
    pub instance_id: String,
    /// Where this instance's API answers.
    pub endpoint: String,
    /// This instance's Region.
    pub region: String,
}
