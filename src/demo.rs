//! stub
/// s
pub struct DemoSettings {
    /// k
    pub keep: bool,
    /// p
    pub listen_base: Option<u16>,
}
/// r
pub async fn run(_s: DemoSettings) -> anyhow::Result<bool> {
    Ok(true)
}
