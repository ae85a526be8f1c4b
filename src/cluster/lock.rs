//! The second lock on the door: no request that may change a cluster leaves without a pass of the gate.
//!
//! Invariant: the inner service sees a method other than GET, HEAD and OPTIONS only with a [`Pass`] among the
//! request's extensions that is good at that very moment, whatever code built the request.

use std::task::{Context, Poll};

use futures::future::{Either, MapErr, Ready, TryFutureExt, ready};
use http::{Method, Request};
use tower::{BoxError, Layer, Service};

use super::gate::{Closed, Pass};

/// Why the transport kept a request back. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// A write that did not come from the gate: a mistake in the program.
    #[error("a {method} was not sent, since it did not pass the gate; all writes go through Gate::apply")]
    NoPass {
        /// Its method.
        method: Method,
    },
    /// The right to write ended after the gate had let the request through.
    #[error("the write was not sent: {0}")]
    Closed(#[from] Closed),
}

/// Puts a [`Lock`] around a service.
#[derive(Clone, Copy, Debug, Default)]
pub struct LockLayer;

impl<S> Layer<S> for LockLayer {
    type Service = Lock<S>;

    fn layer(&self, inner: S) -> Lock<S> {
        Lock { inner }
    }
}

/// A service that answers writes without a good pass by an error of its own.
#[derive(Clone, Debug)]
pub struct Lock<S> {
    inner: S,
}

impl<S, B> Service<Request<B>> for Lock<S>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Either<Ready<Result<S::Response, BoxError>>, MapErr<S::Future, fn(S::Error) -> BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match check(&request) {
            Err(error) => Either::Left(ready(Err(error.into()))),
            Ok(()) => Either::Right(self.inner.call(request).map_err(Into::into as fn(S::Error) -> BoxError)),
        }
    }
}

fn check<B>(request: &Request<B>) -> Result<(), LockError> {
    let method = request.method();
    if [Method::GET, Method::HEAD, Method::OPTIONS].contains(method) {
        return Ok(());
    }
    let pass = request.extensions().get::<Pass>().ok_or_else(|| LockError::NoPass { method: method.clone() })?;
    Ok(pass.check()?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use http::{Method, Request, Response};
    use kube::client::Body;
    use tower::{Layer, Service, ServiceExt};

    use super::*;

    /// Never ready; asking it must not be skipped.
    struct Busy;

    impl Service<Request<Body>> for Busy {
        type Response = Response<Body>;
        type Error = std::convert::Infallible;
        type Future = Ready<Result<Self::Response, Self::Error>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            Poll::Pending
        }

        fn call(&mut self, _: Request<Body>) -> Self::Future {
            unreachable!("it was not ready")
        }
    }

    #[tokio::test]
    async fn it_is_ready_when_the_inner_service_is() {
        let mut locked = LockLayer.layer(Busy);
        assert!(futures::poll!(locked.ready()).is_pending());
    }

    #[tokio::test]
    async fn writes_without_a_pass_never_reach_the_inner_service() {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let inner = tower::service_fn(move |_: Request<Body>| {
            counted.fetch_add(1, Ordering::SeqCst);
            async { Ok::<_, std::convert::Infallible>(Response::new(Body::empty())) }
        });
        let mut locked = LockLayer.layer(inner);
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::CONNECT, Method::TRACE] {
            let request = Request::builder().method(&method).uri("/api").body(Body::empty()).unwrap();
            let error = locked.ready().await.unwrap().call(request).await.unwrap_err();
            assert!(error.to_string().contains("did not pass the gate"), "{method}: {error}");
        }
        assert_eq!(calls.load(Ordering::SeqCst), 0);
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            let request = Request::builder().method(method).uri("/api").body(Body::empty()).unwrap();
            locked.ready().await.unwrap().call(request).await.unwrap();
        }
        assert_eq!(calls.load(Ordering::SeqCst), 3);
    }
}
