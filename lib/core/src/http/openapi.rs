//! `/openapi.json` and `/docs`, both written from the routes of the house and of the views.

use super::json::{Counts, VERSION};
use super::page;
use super::routes::{JSON, routes};
use crate::render::schema::{Member, Schema, Tree, member, object_tree};
use crate::render::{Shape, text};
use crate::small::{SmallMap, SmallSet};
use crate::snapshot::{Error, Route, Seen};
use crate::text::escape_html;
use std::borrow::Cow;

/// Answers that any route may give beside its own.
const COMMON: &[(u16, &str)] = &[
    (400, "not a request that is answered"),
    (401, "a token is needed and was missing or wrong"),
    (403, "the Host is not one of this server's names"),
    (429, "too many wrong tokens"),
];

/// An object of these members.
fn object<const N: usize>(members: [(&'static str, Tree); N]) -> Tree {
    let members = members.into_iter();
    Tree::Object(members.map(|(key, value)| member(key, value)).collect())
}

/// The document.
pub(super) fn document(seen: &Seen<'_>) -> String {
    let all: Vec<&Route> = routes(seen.snapshot).collect();
    let paths: SmallSet<&str> = all.iter().map(|route| route.path).collect();
    let paths = paths.into_iter().map(|path| {
        let methods = all.iter().filter(|route| route.path == path);
        let operations = methods.map(|route| operation(route));
        member(path, Tree::Object(operations.collect()))
    });
    let schemas = objects(seen).into_iter();
    let schemas = schemas.map(|(name, members)| member(name, object_tree(&members)));
    let token = object([("type", "http".into()), ("scheme", "bearer".into())]);
    let document = object([
        ("openapi", "3.1.0".into()),
        (
            "info",
            object([
                ("title", "rackwarden".into()),
                ("version", VERSION.into()),
                ("description", ABOUT.into()),
            ]),
        ),
        ("paths", Tree::Object(paths.collect())),
        (
            "components",
            object([
                ("schemas", Tree::Object(schemas.collect())),
                ("securitySchemes", object([("token", token)])),
            ]),
        ),
        (
            "security",
            Tree::List(vec![object([]), object([("token", Tree::List(vec![]))])]),
        ),
    ]);
    text(&document, 16 * 1024)
}

fn operation(route: &Route) -> (Cow<'static, str>, Tree) {
    let mut members = vec![
        member("summary", route.summary),
        member("operationId", Tree::Text(operation_id(route).into())),
    ];
    if route.path.contains("{name}") {
        let name = object([
            ("name", "name".into()),
            ("in", "path".into()),
            ("required", Tree::Boolean(true)),
            ("description", route.name.into()),
            ("schema", Schema::Text.tree(None)),
        ]);
        members.push(member("parameters", Tree::List(vec![name])));
    }
    if route.method == "POST" {
        members.push(member("requestBody", log_in()));
    }
    let own = route.answers.iter().map(|answer| {
        let schema = answer.schema.as_ref();
        response(answer.status, answer.about, answer.mime, schema)
    });
    let common = COMMON.iter();
    let common = common.map(|(status, about)| response(*status, about, JSON, Some(&Error::SCHEMA)));
    let responses = own.chain(common).collect();
    members.push(member("responses", Tree::Object(responses)));
    member(route.method.to_ascii_lowercase(), Tree::Object(members))
}

fn log_in() -> Tree {
    let token = Schema::Text.tree(Some("the token"));
    let schema = object([
        ("type", "object".into()),
        ("required", Tree::List(vec!["token".into()])),
        ("properties", object([("token", token)])),
    ]);
    let form = object([("schema", schema)]);
    object([
        ("required", Tree::Boolean(true)),
        (
            "content",
            object([("application/x-www-form-urlencoded", form)]),
        ),
    ])
}

fn response(
    status: u16,
    about: &'static str,
    mime: &'static str,
    schema: Option<&Schema>,
) -> (Cow<'static, str>, Tree) {
    let schema = match schema {
        Some(schema) => schema.tree(None),
        None if mime == JSON => object([("type", "object".into())]),
        None => Schema::Text.tree(None),
    };
    let response = object([
        ("description", about.into()),
        ("content", object([(mime, object([("schema", schema)]))])),
    ]);
    member(status.to_string(), response)
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

fn objects(seen: &Seen<'_>) -> SmallMap<&'static str, Vec<Member>> {
    let mut found = SmallMap::new();
    Error::SCHEMA.objects(&mut found);
    for answer in routes(seen.snapshot).flat_map(|route| route.answers) {
        if let Some(schema) = &answer.schema {
            schema.objects(&mut found);
        }
    }
    let found = found.into_iter();
    found
        .map(|(name, members)| match name {
            "Counts" => (name, Counts::members(seen)),
            _ => (name, members.to_vec()),
        })
        .collect()
}

/// The documentation page.
pub(super) fn docs(seen: &Seen<'_>) -> String {
    let mut html = String::with_capacity(16 * 1024);
    page::open(&mut html, &seen.snapshot.config.name, "HTTP interface");
    html.push_str("<main class=docs><h1>HTTP interface</h1><p>");
    escape_html(ABOUT, &mut html);
    html.push_str("</p><p><a href=/openapi.json>/openapi.json</a> is the same for programs.</p>");
    for route in routes(seen.snapshot) {
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
    for (name, members) in objects(seen) {
        html.push_str("<section><h2>");
        escape_html(name, &mut html);
        html.push_str("</h2><table>");
        for member in &members {
            html.push_str("<tr><td><code>");
            escape_html(member.key(), &mut html);
            html.push_str("</code></td><td>");
            escape_html(&member.schema.words(), &mut html);
            html.push_str("</td><td>");
            escape_html(member.words(), &mut html);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::sample::{self, Sample};

    #[test]
    fn a_view_that_does_not_run_has_its_paths_all_the_same() {
        let snapshot = sample::snapshot(Sample::Empty);
        let document = document(&Seen::new(&snapshot, snapshot.now));
        assert!(document.contains("/api/host") && document.contains("/api/power/{name}"));
    }
}
