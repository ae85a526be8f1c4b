//! Where this instance stands at one moment, and the headers that say so.

use axum::extract::{Request, State as Extract};
use axum::http::header::{CACHE_CONTROL, HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use super::HttpState;
use crate::checker::permit::{ModeReader, Permit, State};
use crate::checker::status::StatusBoard;
use crate::instant::Instant;

/// `active` or `passive`.
pub const STATE_HEADER: &str = "x-flagship-state";
/// The epoch of the permit, or the highest one seen.
pub const EPOCH_HEADER: &str = "x-flagship-epoch";

/// The mode at one instant: everything that one answer says about it comes from here.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// The instant.
    pub now: Instant,
    /// The permit that was good then.
    pub permit: Option<Permit>,
    /// Its epoch, or the highest one seen.
    pub epoch: u64,
}

impl Standing {
    /// Reads the mode once.
    pub fn at(now: Instant, mode: &ModeReader, board: &StatusBoard) -> Self {
        let permit = mode.permit(now);
        let seen = || board.read().lease.as_ref().map_or(0, |lease| lease.epoch);
        Self { now, permit, epoch: permit.map_or_else(seen, |p| p.epoch) }
    }

    /// Active while there is a permit.
    pub fn state(&self) -> State {
        if self.permit.is_some() { State::Active } else { State::Passive }
    }

    /// Puts it into the headers of an answer.
    pub fn write(&self, headers: &mut HeaderMap) {
        headers.insert(STATE_HEADER, HeaderValue::from_static(self.state().as_str()));
        headers.insert(EPOCH_HEADER, HeaderValue::from(self.epoch));
    }
}

/// Names the state on every answer, as of the end of the request, unless the route did so itself because its
/// status depends on it.
pub async fn name_the_state(Extract(state): Extract<HttpState>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if !response.headers().contains_key(STATE_HEADER) {
        state.standing().write(response.headers_mut());
    }
    // A health answer or a plan out of a cache would be about another moment.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
