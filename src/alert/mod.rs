//! The `alert` room: the life of an alert from a channel's first `concern` to its end, what it says, and the draft
//! of its Article 18 notification. Time comes with the data; nothing here knows HTTP or sinks.

mod book;
mod compose;
mod data;
pub mod dossier;
pub mod jurisdiction;
pub mod words;
mod zone;

pub use book::{Book, Holds, Moment, alert_id};
pub use compose::{House, Judgement};
pub use data::{
    Act, Against, Alert, Change, ChangeKind, Coverage, Donations, EvidenceItem, EvidenceKind,
    Facts, Jurisdiction, Measure, OutboxRow, Person, Reason, State, cloud_event,
    cloud_event_minimal, schema,
};
pub use dossier::Dossier;
pub use jurisdiction::{Authority, jurisdiction};
pub use words::{Counter, SummaryFacts, Words};
pub use zone::Zone;
