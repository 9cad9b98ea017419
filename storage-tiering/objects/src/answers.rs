//! `Answers`: what a server says to every single request, those that the client sends again by itself among them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};

/// Kinds of answers, by what they mean to whoever asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Good,
    Missing,
    Denied,
    /// What was to be created is there, or somebody else creates it.
    Taken,
    /// Fewer requests are asked for.
    Throttled,
    Failed,
    Other,
    /// There was none.
    None,
}

/// Totals since the store was opened.
#[derive(Debug, Default)]
pub(crate) struct Answers([AtomicU64; Kind::ALL.len()]);

/// Makes clients whose answers are counted.
#[derive(Clone, Debug)]
pub(crate) struct Counted(pub(crate) Arc<Answers>);

#[derive(Debug)]
struct CountedClient {
    client: HttpClient,
    answers: Arc<Answers>,
}

impl Kind {
    const ALL: [(Kind, &'static str); 8] = [
        (Kind::Good, "good"),
        (Kind::Missing, "missing"),
        (Kind::Denied, "denied"),
        (Kind::Taken, "taken"),
        (Kind::Throttled, "throttled"),
        (Kind::Failed, "failed"),
        (Kind::Other, "other"),
        (Kind::None, "none"),
    ];

    fn of(status: u16) -> Kind {
        match status {
            200..300 => Kind::Good,
            404 => Kind::Missing,
            401 | 403 => Kind::Denied,
            409 | 412 => Kind::Taken,
            429 | 503 => Kind::Throttled,
            500.. => Kind::Failed,
            _ => Kind::Other,
        }
    }
}

impl Answers {
    pub(crate) fn all(&self) -> [(&'static str, u64); Kind::ALL.len()] {
        Kind::ALL.map(|(kind, name)| (name, self.of(kind)))
    }

    pub(crate) fn throttled(&self) -> u64 {
        self.of(Kind::Throttled)
    }

    fn of(&self, kind: Kind) -> u64 {
        self.0[kind as usize].load(Ordering::Relaxed)
    }

    fn note(&self, kind: Kind) {
        self.0[kind as usize].fetch_add(1, Ordering::Relaxed);
    }
}

impl HttpConnector for Counted {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(CountedClient { client, answers: self.0.clone() }))
    }
}

#[async_trait::async_trait]
impl HttpService for CountedClient {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answer = self.client.execute(request).await;
        let kind = answer.as_ref().map_or(Kind::None, |answer| Kind::of(answer.status().as_u16()));
        self.answers.note(kind);
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_what_they_mean() {
        let answers = Answers::default();

        for status in [200, 206, 204, 404, 403, 409, 412, 429, 503, 503, 500, 301] {
            answers.note(Kind::of(status));
        }

        assert_eq!(answers.all().map(|(_, count)| count), [3, 1, 1, 2, 3, 1, 1, 0]);
        assert_eq!(answers.throttled(), 3);
    }
}
