//! The one table of paths, and how a request finds its row.

use super::schema::Schema;
use super::{Cache, Error, Request, Response, View};
use super::{head, host, json, metrics, openapi, page, shapes};
use std::borrow::Cow;

pub(super) const JSON: &str = "application/json";
pub(super) const HTML: &str = "text/html; charset=utf-8";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// One path with one method.
#[derive(Debug)]
pub struct Route {
    /// `GET` (which answers `HEAD` as well) or `POST`.
    pub method: &'static str,
    /// The path; `{name}` as its last part stands for one name.
    pub path: &'static str,
    /// One line for people.
    pub summary: &'static str,
    /// Status codes with their meaning, beside those that every route may answer (400, 401, 403, 429).
    pub answers: &'static [Answer],
    render: Render,
}

/// A status code that a route answers with.
#[derive(Debug)]
pub struct Answer {
    /// The code.
    pub status: u16,
    /// What it means.
    pub about: &'static str,
    /// Media type.
    pub mime: &'static str,
    /// Shape of a JSON body.
    pub schema: Option<Schema>,
}

/// Renders a status code and a body.
type Body = fn(&View<'_>) -> (u16, String);

#[derive(Debug)]
enum Render {
    /// A body that is cached for its version.
    Cached(Body),
    /// As before, with the content policy of a page and a fragment for refreshes.
    Page { whole: Body, fragment: Option<Body> },
    /// A body for one name.
    Named(fn(&View<'_>, &str) -> Option<String>),
    /// Answered before dispatch, where a token is needed; elsewhere there is nothing to log in to.
    LogIn,
}

/// Every path that is served. A new one is one row here.
pub const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/",
        summary: "Status page for people",
        answers: &[page_answer(
            "the page; with ?fragment its changing part alone",
        )],
        render: Render::Page {
            whole: |view| (200, page::whole(view)),
            fragment: Some(|view| (200, page::fragment(view))),
        },
    },
    Route {
        method: "POST",
        path: "/",
        summary: "Log in with the token, as the form on the page does",
        answers: &[Answer {
            status: 303,
            about: "logged in: a cookie is set; go to /",
            mime: "text/plain",
            schema: None,
        }],
        render: Render::LogIn,
    },
    Route {
        method: "GET",
        path: "/health",
        summary: "Whether the agent samples and delivers",
        answers: &[
            json_answer(200, "it does", shapes::HEALTH),
            json_answer(503, "it does not, and why", shapes::FAILING),
        ],
        render: Render::Cached(json::health),
    },
    Route {
        method: "GET",
        path: "/api/status",
        summary: "Version, uptime, plugins and counts",
        answers: &[json_answer(200, "the agent's own state", shapes::STATUS)],
        render: Render::Cached(|view| (200, json::status(view))),
    },
    Route {
        method: "GET",
        path: "/api/power",
        summary: "Every PDU, every team and the site",
        answers: &[json_answer(200, "the latest readings", shapes::POWER)],
        render: Render::Cached(|view| (200, json::power(view))),
    },
    Route {
        method: "GET",
        path: "/api/power/{name}",
        summary: "One PDU",
        answers: &[
            json_answer(200, "its latest reading", shapes::PDU),
            json_answer(404, "no PDU has that name", shapes::ERROR),
        ],
        render: Render::Named(json::pdu),
    },
    Route {
        method: "GET",
        path: "/api/host",
        summary: "The machine that the agent runs on",
        answers: &[json_answer(200, "the latest look at it", shapes::HOST)],
        render: Render::Cached(|view| (200, host::host(view))),
    },
    Route {
        method: "GET",
        path: "/api/alerts",
        summary: "Alerts with their state, severity and values",
        answers: &[json_answer(200, "the alerts", shapes::ALERTS)],
        render: Render::Cached(|view| (200, json::alerts(view))),
    },
    Route {
        method: "GET",
        path: "/metrics",
        summary: "Metrics for Prometheus",
        answers: &[Answer {
            status: 200,
            about: "the text format, base units",
            mime: PROMETHEUS,
            schema: None,
        }],
        render: Render::Cached(|view| (200, metrics::render(view))),
    },
    Route {
        method: "GET",
        path: "/openapi.json",
        summary: "This interface as OpenAPI 3.1",
        answers: &[Answer {
            status: 200,
            about: "the document",
            mime: JSON,
            schema: None,
        }],
        render: Render::Cached(|_| (200, openapi::document())),
    },
    Route {
        method: "GET",
        path: "/docs",
        summary: "This interface for people",
        answers: &[page_answer("the documentation")],
        render: Render::Page {
            whole: |view| (200, openapi::docs(view)),
            fragment: None,
        },
    },
];

const fn json_answer(status: u16, about: &'static str, schema: Schema) -> Answer {
    Answer {
        status,
        about,
        mime: JSON,
        schema: Some(schema),
    }
}

const fn page_answer(about: &'static str) -> Answer {
    Answer {
        status: 200,
        about,
        mime: HTML,
        schema: None,
    }
}

/// Finds the row of an authorised request and renders it.
pub(super) fn dispatch(request: &Request<'_>, view: &View<'_>, cache: &mut Cache) -> Response {
    let method = if request.method == "HEAD" {
        "GET"
    } else {
        request.method
    };
    let mut is_known = false;
    for (index, route) in ROUTES.iter().enumerate() {
        let Some(name) = route.matches(request.path) else {
            continue;
        };
        is_known = true;
        if route.method == method {
            return route.answer(index, name, request, view, cache);
        }
    }
    if is_known {
        return not_allowed(request.path);
    }
    NOT_FOUND.into()
}

impl Route {
    /// The name in a path that this route serves (empty where it has none); `None` for other paths.
    fn matches<'a>(&self, path: &'a str) -> Option<&'a str> {
        match self.path.strip_suffix("{name}") {
            None => (self.path == path).then_some(""),
            Some(prefix) => path
                .strip_prefix(prefix)
                .filter(|name| !name.is_empty() && !name.contains('/')),
        }
    }

    fn mime(&self) -> &'static str {
        self.answers[0].mime
    }

    fn answer(
        &self,
        index: usize,
        name: &str,
        request: &Request<'_>,
        view: &View<'_>,
        cache: &mut Cache,
    ) -> Response {
        let (status, body, extra) = match &self.render {
            Render::Cached(render) => {
                let (status, body) = cache.body(index, view, render);
                (status, body, "")
            }
            Render::Page { whole, fragment } => {
                let wants_fragment = request.query == "fragment";
                let (slot, render) = match fragment.filter(|_| wants_fragment) {
                    Some(fragment) => (ROUTES.len() + index, fragment),
                    None => (index, *whole),
                };
                let (status, body) = cache.body(slot, view, render);
                (status, body, page::policy())
            }
            Render::Named(render) => {
                let name = head::percent_decoded(name);
                match name.and_then(|name| render(view, &name)) {
                    Some(body) => (200, body.into_bytes().into(), ""),
                    None => return NO_PDU.into(),
                }
            }
            Render::LogIn => return not_allowed(self.path),
        };
        Response {
            status,
            mime: self.mime(),
            extra: Cow::Borrowed(extra),
            body,
            is_head_only: false,
        }
    }
}

fn not_allowed(path: &str) -> Response {
    let mut allow = String::from("Allow: ");
    for route in ROUTES.iter().filter(|route| route.matches(path).is_some()) {
        match route.render {
            Render::LogIn => {}
            _ => allow.push_str("GET, HEAD"),
        }
    }
    allow.push_str("\r\n");
    Response {
        extra: Cow::Owned(allow),
        ..NOT_ALLOWED.into()
    }
}

const NOT_FOUND: Error = Error::new(
    404,
    "not_found",
    "there is nothing here; /docs lists what there is",
);
const NO_PDU: Error = Error::new(404, "pdu_not_found", "no PDU has that name");
const NOT_ALLOWED: Error = Error::new(
    405,
    "method_not_allowed",
    "this path does not answer that method",
);
