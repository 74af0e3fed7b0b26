//! The typed config: `vigie.toml` and the files it names come in, a checked [`Config`] goes out, or every problem
//! with its place and how to mend it. Its types are open to every room; it knows no behaviour.

mod check;
mod codes;
mod credential;
mod load;
mod peers;
mod read;
mod reload;
mod source;
mod tables;
mod types;
mod units;

pub use credential::{
    CredentialError, CredentialFrom, SecretValue, credential, credential_or_create,
    credential_variable,
};
pub use peers::{Channel, Clock, Content, Feed, FeedKind, Mark, Rule, Sink, SinkKind};
pub use source::{ConfigErrors, Origin, Position, Problem, Source};
pub use tables::{Authorities, Authority, Categories, Currency, Reach};
pub use types::{
    Alerts, AuthoritiesFile, Config, CurrencyFile, Evidence, Execution, Language, Levels, Limits,
    Mode, Models, Privacy, Provider, ProviderSize, Role, Server, Signals, Store,
};
pub use units::{Dur, Secret, Size, Until};
