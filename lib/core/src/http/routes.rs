//! The paths of the house, those of the views among them, and how a request finds its row.

use super::json::{self, Alerts, Failing, Health, Status};
use super::{Cache, Request, Response};
use super::{head, metrics, openapi, page};
use crate::render::Shape;
use crate::snapshot::{Answer, Error, Page, Route, Seen, Snapshot, View};
use std::borrow::Cow;

pub(super) const JSON: &str = "application/json";
pub(super) const HTML: &str = "text/html; charset=utf-8";

/// Renders a status code and a body.
type Body = fn(&Seen<'_>) -> (u16, String);

/// A path of the house.
struct Own {
    route: Route,
    render: Render,
}

enum Render {
    /// A body that is cached for its version.
    Cached(Body),
    /// As before, with the content policy of a page and a fragment for refreshes.
    Page { whole: Body, fragment: Option<Body> },
    /// Answered before dispatch, where a token is needed; elsewhere there is nothing to log in to.
    LogIn,
}

/// Every path of the house. A new one is one row here. Those of the views stand before the one of this place.
const OWN: &[Own] = &[
    Own {
        route: Route::get(
            "/",
            "Status page for people",
            &[Answer::page(
                "the page; with ?fragment its changing part alone",
            )],
        ),
        render: Render::Page {
            whole: |seen| (200, page::whole(seen)),
            fragment: Some(|seen| (200, page::fragment(seen))),
        },
    },
    Own {
        route: Route {
            method: "POST",
            path: "/",
            name: "",
            summary: "Log in with the token, as the form on the page does",
            answers: &[Answer {
                status: 303,
                about: "logged in: a cookie is set; go to /",
                mime: "text/plain",
                schema: None,
            }],
        },
        render: Render::LogIn,
    },
    Own {
        route: Route::get(
            "/health",
            "Whether the agent samples and delivers",
            &[
                Answer::json(200, "it does", Health::SCHEMA),
                Answer::json(503, "it does not, and why", Failing::SCHEMA),
            ],
        ),
        render: Render::Cached(json::health),
    },
    Own {
        route: Route::get(
            "/api/status",
            "Version, uptime, plugins and counts",
            &[Answer::json(200, "the agent's own state", Status::SCHEMA)],
        ),
        render: Render::Cached(|seen| (200, json::status(seen))),
    },
    Own {
        route: Route::get(
            "/api/alerts",
            "Alerts with their state, severity and values",
            &[Answer::json(200, "the alerts", Alerts::SCHEMA)],
        ),
        render: Render::Cached(|seen| (200, json::alerts(seen))),
    },
    Own {
        route: Route::get(
            "/metrics",
            "Metrics for Prometheus",
            &[Answer {
                status: 200,
                about: "the text format, base units",
                mime: "text/plain; version=0.0.4; charset=utf-8",
                schema: None,
            }],
        ),
        render: Render::Cached(|seen| (200, metrics::render(seen))),
    },
    Own {
        route: Route::get(
            "/openapi.json",
            "This interface as OpenAPI 3.1",
            &[Answer {
                status: 200,
                about: "the document",
                mime: JSON,
                schema: None,
            }],
        ),
        render: Render::Cached(|seen| (200, openapi::document(seen))),
    },
    Own {
        route: Route::get(
            "/docs",
            "This interface for people",
            &[Answer::page("the documentation")],
        ),
        render: Render::Page {
            whole: |seen| (200, openapi::docs(seen)),
            fragment: None,
        },
    },
];
/// Documents list the paths of the views after so many of the house.
const BEFORE_VIEWS: usize = 4;

/// Who renders a path.
enum Renderer<'a> {
    House(&'static Render),
    View(&'a dyn View),
}

fn all(snapshot: &Snapshot) -> impl Iterator<Item = (&'static Route, Renderer<'_>)> {
    let own = |own: &'static Own| (&own.route, Renderer::House(&own.render));
    let views = snapshot.views.iter().flat_map(|view| {
        let routes = view.routes().iter();
        routes.map(|route| (route, Renderer::View(&**view)))
    });
    let (before, after) = OWN.split_at(BEFORE_VIEWS);
    let before = before.iter().map(own);
    before.chain(views).chain(after.iter().map(own))
}

/// Every path that is served.
pub fn routes(snapshot: &Snapshot) -> impl Iterator<Item = &'static Route> {
    all(snapshot).map(|(route, _)| route)
}

/// Finds the row of an authorised request and renders it.
pub(super) fn dispatch(request: &Request<'_>, seen: &Seen<'_>, cache: &mut Cache) -> Response {
    let method = match request.method {
        "HEAD" => "GET",
        method => method,
    };
    let mut is_known = false;
    for (slot, (route, renderer)) in all(seen.snapshot).enumerate() {
        let Some(name) = route.matches(request.path) else {
            continue;
        };
        is_known = true;
        if route.method != method {
            continue;
        }
        return match renderer {
            Renderer::House(render) => own(route, render, 2 * slot, request, seen, cache),
            Renderer::View(view) => match of_view(route, view, 2 * slot, name, seen, cache) {
                Ok(response) => response,
                Err(error) => error.into(),
            },
        };
    }
    match is_known {
        true => not_allowed(request.path, seen.snapshot),
        false => Error::NOT_FOUND.into(),
    }
}

fn own(
    route: &Route,
    render: &Render,
    slot: usize,
    request: &Request<'_>,
    seen: &Seen<'_>,
    cache: &mut Cache,
) -> Response {
    let (status, body, extra) = match render {
        Render::Cached(render) => {
            let (status, body) = cache.body(slot, seen, render);
            (status, body, "")
        }
        Render::Page { whole, fragment } => {
            let wants_fragment = request.query == "fragment";
            let (slot, render) = match fragment.filter(|_| wants_fragment) {
                Some(fragment) => (slot + 1, fragment),
                None => (slot, *whole),
            };
            let (status, body) = cache.body(slot, seen, render);
            (status, body, page::policy())
        }
        Render::LogIn => return not_allowed(route.path, seen.snapshot),
    };
    Response {
        status,
        mime: route.mime(),
        extra: Cow::Borrowed(extra),
        body,
        is_head_only: false,
    }
}

/// Bodies without a name in their path are cached.
fn of_view(
    route: &Route,
    view: &dyn View,
    slot: usize,
    name: &str,
    seen: &Seen<'_>,
    cache: &mut Cache,
) -> Result<Response, Error> {
    let name = head::percent_decoded(name).unwrap_or_default();
    if route.mime() == HTML {
        let mut body = String::new();
        view.page(&mut Page::new(seen, &mut body), route.path, &name)?;
        return Ok(Response {
            extra: Cow::Borrowed(page::policy()),
            ..Response::new(200, HTML, page::own(seen, &name, &body))
        });
    }
    if !name.is_empty() || route.path.contains('{') {
        let body = view.body(seen, route.path, &name)?;
        return Ok(Response::new(200, route.mime(), body));
    }
    let render = |seen: &Seen<'_>| match view.body(seen, route.path, "") {
        Ok(body) => (200, body),
        Err(error) => (error.status, error.text()),
    };
    let (status, body) = cache.body(slot, seen, render);
    Ok(Response {
        status,
        mime: route.mime(),
        extra: Cow::Borrowed(""),
        body,
        is_head_only: false,
    })
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
        self.answers.first().map_or(JSON, |answer| answer.mime)
    }
}

fn not_allowed(path: &str, snapshot: &Snapshot) -> Response {
    let mut allow = String::from("Allow: ");
    let fits = |route: &&Route| route.method == "GET" && route.matches(path).is_some();
    if routes(snapshot).any(|route| fits(&route)) {
        allow.push_str("GET, HEAD");
    }
    allow.push_str("\r\n");
    Response {
        extra: Cow::Owned(allow),
        ..NOT_ALLOWED.into()
    }
}

const NOT_ALLOWED: Error = Error::new(
    405,
    "method_not_allowed",
    "this path does not answer that method",
);
