//! `/openapi.json` and `/docs`, both written from the route table.

use super::json::VERSION;
use super::page;
use super::routes::{ROUTES, Route};
use super::schema::{Object, Schema};
use super::shapes::ERROR;
use super::write::Writer;
use super::{View, routes};
use crate::small::{SmallMap, SmallSet};
use crate::text::escape_html;

/// Answers that any route may give beside its own.
const COMMON: &[(u16, &str)] = &[
    (400, "not a request that is answered"),
    (401, "a token is needed and was missing or wrong"),
    (403, "the Host is not one of this server's names"),
    (429, "too many wrong tokens"),
];

/// The document.
pub(super) fn document() -> String {
    let mut json = Writer::new(16 * 1024);
    json.object(|json| {
        json.key("openapi").text("3.1.0");
        json.key("info").object(|json| {
            json.key("title").text("rackwarden");
            json.key("version").text(VERSION);
            json.key("description").text(ABOUT);
        });
        json.key("paths").object(|json| {
            let paths: SmallSet<&str> = ROUTES.iter().map(|route| route.path).collect();
            for path in paths {
                json.key(path).object(|json| {
                    for route in ROUTES.iter().filter(|route| route.path == path) {
                        operation(json, route);
                    }
                });
            }
        });
        json.key("components").object(|json| {
            json.key("schemas").object(|json| {
                for object in objects().into_values() {
                    json.key(object.name);
                    object.write(json);
                }
            });
            json.key("securitySchemes").object(|json| {
                json.key("token").object(|json| {
                    json.key("type").text("http");
                    json.key("scheme").text("bearer");
                });
            });
        });
        json.key("security").array(|json| {
            json.object(|_| {});
            json.object(|json| json.key("token").array(|_| {}));
        });
    });
    json.finish()
}

fn operation(json: &mut Writer, route: &Route) {
    json.key(&route.method.to_ascii_lowercase()).object(|json| {
        json.key("summary").text(route.summary);
        json.key("operationId").text(&operation_id(route));
        if route.path.contains("{name}") {
            json.key("parameters").array(|json| {
                json.object(|json| {
                    json.key("name").text("name");
                    json.key("in").text("path");
                    json.key("required").boolean(true);
                    json.key("description").text("the PDU's name");
                    json.key("schema");
                    Schema::Text.write(json, None);
                });
            });
        }
        if route.method == "POST" {
            json.key("requestBody").object(|json| {
                json.key("required").boolean(true);
                json.key("content").object(|json| {
                    json.key("application/x-www-form-urlencoded")
                        .object(|json| {
                            json.key("schema").object(|json| {
                                json.key("type").text("object");
                                json.key("required").array(|json| json.text("token"));
                                json.key("properties").object(|json| {
                                    json.key("token");
                                    Schema::Text.write(json, Some("the token"));
                                });
                            });
                        });
                });
            });
        }
        json.key("responses").object(|json| {
            for answer in route.answers {
                let schema = answer.schema.as_ref();
                response(json, answer.status, answer.about, answer.mime, schema);
            }
            for (status, about) in COMMON {
                response(json, *status, about, routes::JSON, Some(&ERROR));
            }
        });
    });
}

fn response(json: &mut Writer, status: u16, about: &str, mime: &str, schema: Option<&Schema>) {
    json.key(&status.to_string()).object(|json| {
        json.key("description").text(about);
        json.key("content").object(|json| {
            json.key(mime).object(|json| {
                json.key("schema");
                match schema {
                    Some(schema) => schema.write(json, None),
                    None if mime == routes::JSON => {
                        json.object(|json| json.key("type").text("object"));
                    }
                    None => Schema::Text.write(json, None),
                }
            });
        });
    });
}

fn operation_id(route: &Route) -> String {
    let words: String = route
        .path
        .chars()
        .map(|ch| if ch.is_ascii_alphanumeric() { ch } else { '_' })
        .collect();
    let words = words.trim_matches('_');
    let words = if words.is_empty() { "page" } else { words };
    format!("{}_{words}", route.method.to_ascii_lowercase())
}

fn objects() -> SmallMap<&'static str, &'static Object> {
    let mut found = SmallMap::new();
    ERROR.objects(&mut found);
    for answer in ROUTES.iter().flat_map(|route| route.answers) {
        if let Some(schema) = &answer.schema {
            schema.objects(&mut found);
        }
    }
    found
}

/// The documentation page.
pub(super) fn docs(view: &View<'_>) -> String {
    let mut html = String::with_capacity(16 * 1024);
    page::open(&mut html, &view.snapshot.config.name, "HTTP interface");
    html.push_str("<main class=docs><h1>HTTP interface</h1><p>");
    escape_html(ABOUT, &mut html);
    html.push_str("</p><p><a href=/openapi.json>/openapi.json</a> is the same for programs.</p>");
    for route in ROUTES {
        html.push_str("<section><h2><code>");
        html.push_str(route.method);
        html.push(' ');
        if route.path.contains('{') || route.method != "GET" {
            escape_html(route.path, &mut html);
        } else {
            html.push_str("<a href=");
            escape_html(route.path, &mut html);
            html.push('>');
            escape_html(route.path, &mut html);
            html.push_str("</a>");
        }
        html.push_str("</code></h2><p>");
        escape_html(route.summary, &mut html);
        html.push_str("</p><ul>");
        for answer in route.answers {
            html.push_str("<li><b>");
            html.push_str(&answer.status.to_string());
            html.push_str("</b> ");
            escape_html(answer.about, &mut html);
            if let Some(schema) = &answer.schema {
                html.push_str(" — ");
                escape_html(&schema.words(), &mut html);
            }
            html.push_str("</li>");
        }
        html.push_str("</ul></section>");
    }
    html.push_str("<h1>Shapes</h1>");
    for object in objects().into_values() {
        html.push_str("<section><h2>");
        escape_html(object.name, &mut html);
        html.push_str("</h2><table>");
        for member in object.members {
            html.push_str("<tr><td><code>");
            escape_html(member.name, &mut html);
            html.push_str("</code></td><td>");
            escape_html(&member.schema.words(), &mut html);
            html.push_str("</td><td>");
            escape_html(member.about, &mut html);
            html.push_str("</td></tr>");
        }
        html.push_str("</table></section>");
    }
    html.push_str("</main></body></html>");
    html
}

const ABOUT: &str = "Readings of rack PDUs and the state of the agent that takes them. Times are RFC 3339 in UTC, units \
     stand in the names, and what is not known is null. Where a token is configured, every request needs it \
     as Authorization: Bearer TOKEN. Errors are {\"error\":{\"code\",\"message\"}}.";
