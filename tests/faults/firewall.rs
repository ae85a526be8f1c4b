//! Packets that the kernel drops, by iptables: nothing is acknowledged, no connection opens, and what was sent is sent
//! again for minutes. Only packets of one port on loopback.

use std::process::Command;

/// As long as it lives, nothing comes to or from one port.
pub struct Dropping {
    port: String,
}

impl Dropping {
    /// The port of `endpoint`, an http URL.
    pub fn at(endpoint: &str) -> Self {
        let port = endpoint.trim_end_matches('/').rsplit(':').next().unwrap().to_owned();
        let dropping = Self { port };
        dropping.rules("--insert");
        dropping
    }

    fn rules(&self, action: &str) {
        for side in ["--dport", "--sport"] {
            let rule =
                [action, "INPUT", "--in-interface", "lo", "--protocol", "tcp", side, &self.port, "--jump", "DROP"];
            let output = Command::new("iptables").arg("--wait").args(rule).output();
            let output = output.unwrap_or_else(|error| panic!("iptables: {error}: install it"));
            assert!(output.status.success(), "iptables (needs root): {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

impl Drop for Dropping {
    fn drop(&mut self) {
        self.rules("--delete");
    }
}
