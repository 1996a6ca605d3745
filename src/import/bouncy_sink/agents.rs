//! The column `Software` of bouncy-sink's User-Agents file.
//!
//! Invariant: line ends of any kind (the shipped file has bare CR) and quoted fields are read as a
//! spreadsheet reads them; a file without that column gives nothing.

use csv::{ReaderBuilder, StringRecord};

/// The agents in the order of the file, without blank ones.
pub(crate) fn read(csv: &str) -> Vec<String> {
    let bytes = csv.trim_start_matches('\u{feff}').as_bytes();
    let reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    let mut rows = reader.into_records().filter_map(Result::ok);
    let is_software = |head: StringRecord| head.iter().position(|name| name.trim() == "Software");
    let Some(column) = rows.next().and_then(is_software) else { return Vec::new() };
    let agents = rows.filter_map(|row| row.get(column).map(|agent| agent.trim().to_owned()));
    agents.filter(|agent| !agent.is_empty() && !agent.contains(char::is_control)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_cr_and_quotes() {
        let csv = "Rank,Software,Share\r1,\"Mozilla/5.0 (X11; Linux, \"\"odd\"\") A\",5%\r2,Plain/1.0,4%\r\n\r\n3,,1%\r4\r5,Last/2";
        assert_eq!(read(csv), ["Mozilla/5.0 (X11; Linux, \"odd\") A", "Plain/1.0", "Last/2"]);
    }

    #[test]
    fn another_table_has_no_agents() {
        assert!(read("a,b\r\n1,2").is_empty() && read("").is_empty() && read("Software").is_empty());
        assert!(read("Software\n\"open\nfor ever").is_empty());
    }
}
