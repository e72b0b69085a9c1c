//! How rows are read: by the names of their columns, so that a column may be added or moved. A row of one or two values is read by
//! position.

use tokio_postgres::Row;

/// Where these columns stand in the rows of one result. Looked up once where there are many rows: `get` with a name compares names for
/// each row. Panics where the statement has no such column, as `get` does.
pub(crate) fn places<const N: usize>(row: &Row, names: [&str; N]) -> [usize; N] {
    names.map(|name| match row.columns().iter().position(|column| column.name() == name) {
        Some(place) => place,
        None => panic!("the statement has no column {name:?}"),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Many more would be rows of three columns, read one by one.
    const BY_POSITION_MAX: usize = 80;

    fn sources(directory: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        let read = |path: std::path::PathBuf| match path.is_dir() {
            true => sources(&path),
            false => vec![std::fs::read_to_string(path).unwrap()],
        };
        entries.flat_map(read).collect()
    }

    /// The number in `get(3)` and `get::<_, i64>(3)`; `None` where something else is asked for.
    fn position(after_get: &str) -> Option<usize> {
        let arguments = match after_get.strip_prefix("::<") {
            Some(types) => &types[types.find(">(")? + 1..],
            None => after_get,
        };
        arguments.strip_prefix('(')?.split(')').next()?.parse().ok()
    }

    #[test]
    fn rows_of_three_columns_and_more_are_read_by_name() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let sources: Vec<String> =
            ["src", "tests"].iter().flat_map(|part| sources(&root.join(part))).collect();
        let positions: Vec<usize> =
            sources.iter().flat_map(|source| source.split(".get").skip(1)).filter_map(position).collect();
        assert!(!positions.is_empty(), "the look finds nothing");
        assert!(positions.iter().all(|position| *position < 2), "a row of three columns: give them names");
        assert!(positions.len() <= BY_POSITION_MAX, "{} values are read by position", positions.len());
    }
}
