//! Answers that many operations may give, for the document. Here: those of the gate and of every operation. Not here: when they are given
//! (`gate`, `error`).

use std::collections::BTreeMap;

/// What every request of who is signed in may be answered.
pub(super) struct Guarded;

impl utoipa::IntoResponses for Guarded {
    fn responses() -> BTreeMap<String, utoipa::openapi::RefOr<utoipa::openapi::response::Response>> {
        [
            (
                "400",
                "`bad_request`: the request is not as it should be, or brings both a session's cookie and a token",
            ),
            (
                "401",
                "`unauthenticated`: not signed in, or the session or token has ended; `second_factor`: one is to follow first",
            ),
            (
                "403",
                "`csrf`: the session's X-Loa-Csrf is missing; `forbidden`: not what this user or token may do there; `second_factor`: not without one; `session_only`: not by a token",
            ),
            ("default", "`internal`, `busy`: a fault of the server, told in its log"),
        ]
        .into_iter()
        .map(|(status, text)| (status.into(), response(text)))
        .collect()
    }
}

/// Says in the document what every operation may be answered.
pub(super) fn everywhere(document: &mut utoipa::openapi::OpenApi) {
    for item in document.paths.paths.values_mut() {
        let operations = [
            &mut item.get,
            &mut item.post,
            &mut item.put,
            &mut item.patch,
            &mut item.delete,
        ];
        for operation in operations.into_iter().flatten() {
            let sends = operation.request_body.is_some();
            let mut say = |status: &str, text: &str| {
                let told = &mut operation.responses.responses;
                told.entry(status.into()).or_insert_with(|| response(text));
            };
            say(
                "429",
                "`wait`: too many requests; `Retry-After` says in how many seconds to try again",
            );
            if sends {
                say("408", "`too_slow`: the request came in too slowly");
                say("413", "`too_large`: the request is too large");
            }
        }
    }
}

fn response(text: &str) -> utoipa::openapi::RefOr<utoipa::openapi::response::Response> {
    let schema = utoipa::openapi::Ref::from_schema_name("Error");
    let content = utoipa::openapi::ContentBuilder::new().schema(Some(schema)).build();
    utoipa::openapi::ResponseBuilder::new()
        .description(text)
        .content("application/json", content)
        .build()
        .into()
}
