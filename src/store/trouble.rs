//! What is wrong with a store that cannot commit, in the words of somebody who must mend it.

use std::io;
use std::path::Path;

use super::StoreError;
use crate::evidence::EvidenceError;

/// Kinds of trouble, as `/readyz`, the log and metrics name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trouble {
    Full,
    ReadOnly,
    Locked,
    Damaged,
    Other,
}

impl Trouble {
    pub const ALL: [Trouble; 5] =
        [Trouble::Full, Trouble::ReadOnly, Trouble::Locked, Trouble::Damaged, Trouble::Other];

    pub fn name(self) -> &'static str {
        match self {
            Trouble::Full => "full",
            Trouble::ReadOnly => "read_only",
            Trouble::Locked => "locked",
            Trouble::Damaged => "damaged",
            Trouble::Other => "other",
        }
    }

    /// Of the evidence folder.
    pub fn of_evidence(EvidenceError::Io { source, .. }: &EvidenceError) -> Self {
        Trouble::of_io(source)
    }

    fn of_io(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Trouble::Full,
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                Trouble::ReadOnly
            }
            _ => Trouble::Other,
        }
    }

    /// SQLite's extended result codes (sqlite.org/rescode.html); the low byte is the primary one.
    fn of_code(code: u32) -> Self {
        match (code, code & 0xff) {
            // SQLITE_FULL; and SQLITE_IOERR_SHMSIZE: no room for the shared index of the write-ahead log.
            (_, 13) | (4874, _) => Trouble::Full,
            (_, 8) => Trouble::ReadOnly,
            (_, 5 | 6) => Trouble::Locked,
            (_, 11 | 26) => Trouble::Damaged,
            _ => Trouble::Other,
        }
    }

    fn of_sql(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Io(error) => Trouble::of_io(error),
            sqlx::Error::Database(error) => {
                let code = error.code().and_then(|code| code.parse().ok());
                code.map_or(Trouble::Other, Trouble::of_code)
            }
            // All connections wait for a lock.
            sqlx::Error::PoolTimedOut => Trouble::Locked,
            _ => Trouble::Other,
        }
    }
}

impl StoreError {
    pub fn trouble(&self) -> Trouble {
        match self {
            StoreError::Io { source, .. } => Trouble::of_io(source),
            StoreError::Evidence(error) => Trouble::of_evidence(error),
            StoreError::Sql(error) => Trouble::of_sql(error),
            StoreError::Open { source, .. } => Trouble::of_sql(source),
            StoreError::Migrate { source, .. } => match source {
                sqlx::migrate::MigrateError::Execute(error)
                | sqlx::migrate::MigrateError::ExecuteMigration(error, _) => Trouble::of_sql(error),
                _ => Trouble::Other,
            },
            StoreError::Corrupt { .. } => Trouble::Damaged,
            StoreError::Locked { .. } => Trouble::Other,
        }
    }

    /// What is wrong, where, and how to mend it, in a sentence.
    pub fn advice(&self, dir: &Path) -> String {
        let dir = dir.display();
        match self.trouble() {
            Trouble::Full => format!(
                "the disk of the state folder {dir} is full: free space there ({self}); docs/operating.md, \"The disk is full\""
            ),
            Trouble::ReadOnly => format!(
                "the state folder {dir} cannot be written: is it mounted read-only, are its rights another user's? ({self})"
            ),
            Trouble::Locked => format!(
                "another program holds the database {dir}/vigie.db locked: end it, a backup or a SQL shell perhaps ({self})"
            ),
            Trouble::Damaged => format!(
                "the database {dir}/vigie.db is damaged ({self}): stop Vigie and see docs/operating.md, \"The store is broken\""
            ),
            Trouble::Other => format!("the store in {dir} does not work: {self}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_errors_are_named_by_what_is_to_be_mended() {
        let io = |kind: io::ErrorKind| StoreError::Sql(sqlx::Error::Io(kind.into())).trouble();
        assert_eq!(io(io::ErrorKind::StorageFull), Trouble::Full);
        assert_eq!(io(io::ErrorKind::ReadOnlyFilesystem), Trouble::ReadOnly);
        assert_eq!(io(io::ErrorKind::BrokenPipe), Trouble::Other);
        let named =
            [13, 4874, 8, 1032, 5, 517, 6, 11, 26, 10].map(|code| Trouble::of_code(code).name());
        let want = [
            "full",
            "full",
            "read_only",
            "read_only",
            "locked",
            "locked",
            "locked",
            "damaged",
            "damaged",
            "other",
        ];
        assert_eq!(named, want);
    }
}
