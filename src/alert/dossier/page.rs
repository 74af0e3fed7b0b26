//! The dossier as an HTML page; what it says is in `templates/dossier.html`.

use askama::Template;

use crate::alert::words::Words;

use super::{Dossier, Item};
use crate::event::Digest;

/// The style sheet: one file for the page under a strict CSP and for the stand-alone file.
pub const CSS: &str = include_str!("dossier.css");

/// How the page gets its style.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style<'a> {
    /// Within the page: a file that stands alone.
    Embedded,
    /// From this address: for a page under a CSP that allows no inline style.
    Linked(&'a str),
}

#[derive(Template)]
#[template(path = "dossier.html")]
pub(super) struct DossierPage<'a> {
    pub dossier: &'a Dossier,
    pub words: &'a Words,
    pub style: Style<'a>,
}

impl DossierPage<'_> {
    fn t(&self, key: &str) -> String {
        self.words.t(key)
    }

    /// The item of this number; numbers count from 1.
    fn item(&self, number: &usize) -> Option<&Item> {
        self.dossier.content.items.get(number.checked_sub(1)?)
    }

    fn cited(&self, digest: &Digest) -> Option<&Item> {
        self.dossier.content.items.iter().find(|item| item.digest == *digest)
    }

    fn embedded(&self) -> Option<&'static str> {
        (self.style == Style::Embedded).then_some(CSS)
    }

    fn linked(&self) -> Option<&str> {
        match self.style {
            Style::Linked(href) => Some(href),
            Style::Embedded => None,
        }
    }
}
