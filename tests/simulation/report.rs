//! What was run, in figures.

use std::collections::BTreeMap;
use std::fmt;

use super::judge::{Recorded, residuals};

#[derive(Default)]
pub struct Report {
    pub seeds: u64,
    pub simulated_us: u64,
    pub takeovers: u64,
    pub writes: u64,
    /// Writes of a process that was stopped between the gate's check and the packet, after another had begun.
    pub residual: u64,
    pub faults: BTreeMap<&'static str, u64>,
}

impl Report {
    pub fn count(&mut self, fault: &'static str) {
        *self.faults.entry(fault).or_default() += 1;
    }

    /// At the end of one seed.
    pub fn finish(&mut self, real: u64, record: &[Recorded]) {
        self.seeds = 1;
        self.simulated_us = real;
        self.writes = record.len() as u64;
        self.residual = residuals(record) as u64;
    }

    pub fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.simulated_us += other.simulated_us;
        self.takeovers += other.takeovers;
        self.writes += other.writes;
        self.residual += other.residual;
        for (fault, count) in &other.faults {
            *self.faults.entry(fault).or_default() += count;
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = self.simulated_us as f64 / 3.6e9;
        writeln!(f, "{} seeds, {hours:.1} simulated hours, {} takeovers", self.seeds, self.takeovers)?;
        writeln!(f, "{} writes, {} of them late ones of a stopped process (residual)", self.writes, self.residual)?;
        for (fault, count) in &self.faults {
            writeln!(f, "  {count:>8}  {fault}")?;
        }
        Ok(())
    }
}
