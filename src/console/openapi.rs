//! `GET /openapi.json`: the routes as OpenAPI 3.1. Paths and their answers come from the handlers; the shapes of alerts
//! and problems from their own schemas.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use utoipa::openapi::schema::{
    ArrayBuilder, KnownFormat, ObjectBuilder, Ref, Schema, SchemaFormat, Type,
};
use utoipa::openapi::{InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder};

use super::App;
use crate::alert;
use crate::event::Level;

/// A list of alerts; their schema is the alert room's.
pub fn alerts() -> Schema {
    ArrayBuilder::new().items(Ref::from_schema_name("Alert")).into()
}

/// A level's name.
pub fn level() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(Level::ALL.map(Level::name)))
        .into()
}

/// Holes in what a feed could tell.
pub fn gaps() -> Schema {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let time = || text().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
    let gap = ObjectBuilder::new()
        .property("channel", text())
        .property("from", time())
        .property("to", time())
        .required("from")
        .required("to");
    ArrayBuilder::new().items(gap).into()
}

/// What the document says of itself.
pub fn about() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Vigie")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "The reading half of the console's API. With no users configured it listens on loopback only; people act \
             through `vigie ack` and `vigie close`.",
        ))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()));
    OpenApiBuilder::new().info(info.build()).build()
}

/// The document as it is served.
pub fn document(described: OpenApi) -> String {
    // Strings, numbers and lists under fixed names always serialise.
    let mut document = serde_json::to_value(&described).unwrap_or_default();
    let schemas = &mut document["components"]["schemas"];
    schemas["Alert"] = alert::schema();
    schemas["Problem"] = problem();
    document.to_string()
}

/// RFC 9457.
fn problem() -> Value {
    let text = |what: &str| json!({ "type": "string", "description": what });
    json!({
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": text("`about:blank`"),
            "title": text("What went wrong, the same for each of its kind"),
            "status": { "type": "integer", "description": "The HTTP status" },
            "detail": text("What to do"),
        },
    })
}

/// This document.
#[utoipa::path(
    get, path = "/openapi.json", tag = "health",
    responses((status = 200, description = "OpenAPI 3.1", body = Object, content_type = "application/json"))
)]
pub(super) async fn serve(State(app): State<Arc<App>>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], app.described.clone()).into_response()
}
