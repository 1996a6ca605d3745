//! What mail logs cost, in CPU time: `carom cron` reads a generated log of one day, once into the
//! index and once only for statistics; then a tick with nothing new, and queries.

use super::{Bench, Outcome, measured};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Messages in the log.
const MESSAGES: u32 = 500_000;
/// What the recipients of a log are: addresses, and domains. Each hour and each day has sums by
/// domain and by mail server, so very many domains make more of these than there are deliveries.
const FEW: (u32, u32) = (9_973, 70);
const MANY: (u32, u32) = (199_999, 40_000);
/// Ticks and queries, which are too short to measure one by one.
const RUNS: u32 = 50;

/// Replies of the receiving servers.
const ENDS: [&str; 8] = [
    "dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4Xn0y0000)",
    "dsn=2.0.0, status=sent (250 2.0.0 OK 1795133100 a1-2002a05.7 - gsmtp)",
    "dsn=2.6.0, status=sent (250 2.6.0 <x@y.example> [InternalId=1] Queued mail for delivery)",
    "dsn=2.0.0, status=sent (250 ok)",
    "dsn=2.0.0, status=sent (250 accepted)",
    "dsn=2.0.0, status=sent (250 thanks)",
    "dsn=5.1.1, status=bounced (host mx said: 550 5.1.1 User unknown (in reply to RCPT TO command))",
    "dsn=5.7.1, status=bounced (host mx said: 554 5.7.1 Message refused as spam (in reply to end of DATA command))",
];

pub(crate) fn run(bench: &Bench) -> Outcome<()> {
    for recipients in [FEW, MANY] {
        let log = bench.dir.join("mail.log");
        let megabytes = write(&log, recipients)? as f64 / 1e6;
        let (addresses, domains) = recipients;
        println!(
            "\nmail logs: {megabytes:.0} MB, {MESSAGES} messages to {addresses} addresses in {domains} domains"
        );
        for (name, more) in [("indexed and classified", None), ("counted only", Some("--no-index"))] {
            let reading = Reading { bench, log: &log, state: bench.dir.join(name), sinks: String::new() };
            let _ = fs::remove_dir_all(&reading.state);
            // Compiles the policy, which is not a cost of the log.
            reading.carom(&["policy", "bench", "bounce"])?;
            let seconds = reading.carom(&[&["cron", "-q"][..], more.as_slice()].concat())?;
            println!("  {name:24}  {:>6.1} MB/s   {seconds:.2} s", megabytes / seconds);
            if more.is_none() {
                reading.later()?;
                events(bench, &log, seconds)?;
            }
        }
    }
    Ok(())
}

/// What it costs to send every delivery to files as an event: what ticks take longer than the reading
/// alone, until all are sent.
fn events(bench: &Bench, log: &Path, without: f64) -> Outcome<()> {
    let (state, files) = (bench.dir.join("with events"), bench.dir.join("events"));
    let sinks =
        format!("[[events]]\nkind = \"file\"\npath = {files:?}\ninclude = [\"delivery\"]\nseconds = 60\n");
    let reading = Reading { bench, log, state, sinks };
    reading.carom(&["policy", "bench", "bounce"])?;
    let mut seconds = 0.0;
    // A tick collects for ten seconds at most.
    while sent(&files)? < u64::from(MESSAGES) {
        seconds += reading.carom(&["cron", "-q"])?;
    }
    let each = (seconds - without) * 1e6 / f64::from(MESSAGES);
    println!("  {:24}  {each:>6.1} µs each, {:.0} a second", "events to files", 1e6 / each);
    fs::remove_dir_all(files)?;
    Ok(fs::remove_dir_all(reading.state)?)
}

/// Lines of files.
fn sent(files: &Path) -> Outcome<u64> {
    let mut lines = 0;
    for file in fs::read_dir(files).into_iter().flatten() {
        lines += fs::read(file?.path())?.iter().filter(|byte| **byte == b'\n').count() as u64;
    }
    Ok(lines)
}

/// A log, and the state directory of who reads it.
struct Reading<'b> {
    bench: &'b Bench,
    log: &'b Path,
    state: PathBuf,
    /// Tables of its config for events.
    sinks: String,
}

impl Reading<'_> {
    /// CPU time of a command, in seconds.
    fn carom(&self, arguments: &[&str]) -> Outcome<f64> {
        let (log, config) = (self.log, self.bench.dir.join("logs.toml"));
        // Handling failures is not reading, and costs a promise on disk for each of them.
        let sinks = &self.sinks;
        let logs = format!("[[logs]]\nkind = \"postfix\"\npath = {log:?}\n[index]\nact = false\n{sinks}");
        fs::write(&config, logs)?;
        let mut command = Command::new(&self.bench.binary);
        command.arg("--config").arg(&config).arg("--state").arg(&self.state).args(arguments);
        Ok(measured::run(command.stdout(Stdio::null()))?.cpu_ms / 1e3)
    }

    /// What is done often, once the log was read.
    fn later(&self) -> Outcome<()> {
        for (what, arguments) in [
            ("a tick with nothing new", &["cron", "-q"][..]),
            ("a query by recipient", &["deliveries", "--json", "--recipient", "user77@d7.example"][..]),
        ] {
            let mut seconds = 0.0;
            for _ in 0..RUNS {
                seconds += self.carom(arguments)?;
            }
            println!("  {what:24}  {:>6.1} ms", seconds * 1000.0 / f64::from(RUNS));
        }
        Ok(())
    }
}

/// Writes the log. Returns its size in bytes.
fn write(path: &Path, (addresses, domains): (u32, u32)) -> Outcome<u64> {
    let mut log = BufWriter::new(File::create(path)?);
    for n in 0..MESSAGES {
        let second = u64::from(n) * 86_000 / u64::from(MESSAGES);
        let at = format!(
            "2026-11-20T{:02}:{:02}:{:02}.{:06}+00:00 mx postfix",
            second / 3600,
            second / 60 % 60,
            second % 60,
            n % 1_000_000
        );
        let (id, end) = (format!("4Xb{n:08}zZ1f"), ENDS[(n % 97 % 8) as usize]);
        // One after the other in no order.
        let to = n.wrapping_mul(2_654_435_761) % addresses;
        let domain = to % domains;
        write!(
            log,
            "{at}/smtpd[10]: {id}: client=app.example[10.0.0.7]\n\
             {at}/cleanup[11]: {id}: message-id=<98494.{n}.7@shop{}>\n\
             {at}/qmgr[12]: {id}: from=<sender@shop.example>, size=14000, nrcpt=1 (queue active)\n\
             {at}/smtp[13]: {id}: to=<user{to}@d{domain}.example>, relay=mx.d{domain}.example[192.0.2.9]:25, delay=1.5, delays=0.1/0/0.4/1, {end}\n\
             {at}/qmgr[12]: {id}: removed\n",
            n % 20
        )?;
    }
    log.flush()?;
    Ok(fs::metadata(path)?.len())
}
