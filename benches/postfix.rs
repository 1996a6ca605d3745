//! A real Postfix: messages a second through pipe(8) to `carom pipe` and through lmtp(8) to
//! `carom lmtp`, beside pipe(8) to /bin/true and the discard transport, in turns. Needs Postfix and
//! root.

use super::setting::Setting;
use super::{Bench, Outcome};
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Messages of one turn.
const MESSAGES: u32 = 600;
const TURNS: usize = 5;
/// The longest that a turn may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Transports, and the recipient whose mail goes through each.
const TRANSPORTS: [(&str, &str); 4] = [
    ("carom", "pipe@accept.sink.example"),
    ("carom-lmtp", "lmtp@accept.sink.example"),
    ("true", "x@true.example"),
    ("discard", "x@discard.example"),
];
/// The user that carom runs as, as under pipe(8).
const NOBODY: u32 = 65_534;

pub(crate) fn run(bench: &Bench) -> Outcome<()> {
    let installed = Path::new("/usr/sbin/smtp-source").exists();
    // SAFETY: a plain system call.
    if !installed || unsafe { libc::geteuid() } != 0 {
        println!("a real Postfix: not measured, because it needs root and Postfix");
        return Ok(());
    }
    let postfix = Postfix::start(bench)?;
    let mut seconds = [const { Vec::new() }; TRANSPORTS.len()];
    for turn in 0..=TURNS {
        for ((_, recipient), seconds) in TRANSPORTS.iter().zip(&mut seconds) {
            let took = postfix.deliver(recipient)?;
            // The first turn compiles the policy and starts the services.
            if turn > 0 {
                seconds.push(took);
            }
        }
    }
    let rate = seconds.map(|mut turns| {
        turns.sort_by(f64::total_cmp);
        f64::from(MESSAGES) / turns[turns.len() / 2]
    });
    println!("a real Postfix, messages a second (medians of {TURNS} turns of {MESSAGES})");
    let [.., discarded] = rate;
    for ((transport, _), rate_of) in TRANSPORTS.iter().zip(rate) {
        println!("  {transport:10} {rate_of:6.0}/s  {:4.2} times discard", rate_of / discarded);
    }
    Ok(())
}

struct Postfix {
    config: PathBuf,
    port: u16,
    /// `carom lmtp`.
    lmtp: Child,
}

impl Postfix {
    fn start(bench: &Bench) -> Outcome<Postfix> {
        let dir = bench.dir.join("postfix");
        for folder in ["config", "queue", "data"] {
            fs::create_dir_all(dir.join(folder))?;
        }
        let setting = Setting::new(&bench.dir, "postfix-carom", 25, "", "")?;
        fs::create_dir_all(&setting.state)?;
        // The mail user must reach the binary and write the state.
        let binary = dir.join("carom");
        fs::copy(&bench.binary, &binary)?;
        for path in [&bench.dir, &dir] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
        }
        succeed(Command::new("chown").arg("nobody").arg(&setting.state))?;
        succeed(Command::new("chown").arg("postfix").arg(dir.join("data")))?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let (config, d) = (dir.join("config"), dir.display());
        let domains = "accept.sink.example true.example discard.example";
        let socket = dir.join("lmtp.socket");
        let transports = TRANSPORTS.map(|(name, recipient)| match name {
            "carom-lmtp" => format!("{{ {recipient}={name}:unix:{} }}", socket.display()),
            _ => format!("{{ {recipient}={name}: }}"),
        });
        let transports = transports.join(" ");
        fs::write(
            config.join("main.cf"),
            format!(
                "compatibility_level = 3.6\nqueue_directory = {d}/queue\ndata_directory = {d}/data\n\
                 mail_owner = postfix\nsetgid_group = postdrop\nmyhostname = mx.sink.example\n\
                 mydestination =\nmynetworks = 127.0.0.0/8\ninet_interfaces = 127.0.0.1\n\
                 inet_protocols = ipv4\nmaillog_file = {d}/mail.log\nmaillog_file_prefixes = {d}\n\
                 relay_domains = {domains}\nalias_maps =\nalias_database =\nlocal_recipient_maps =\n\
                 smtpd_relay_restrictions = permit_mynetworks, reject\nsmtputf8_enable = no\n\
                 transport_maps = inline:{{ {transports} }}\n"
            ),
        )?;
        let pipe = |name: &str, argv: &str| {
            format!("{name} unix - n n - 10 pipe\n  flags=Rq user=nobody null_sender= argv={argv}\n")
        };
        let carom = format!(
            "{} --config {} pipe --sender ${{sender}} --recipient ${{recipient}} \
             --client-address ${{client_address}} --queue-id ${{queue_id}}",
            binary.display(),
            setting.config.display()
        );
        fs::write(
            config.join("master.cf"),
            format!(
                "127.0.0.1:{port} inet n - n - - smtpd\npickup unix n - n 60 1 pickup\n\
                 cleanup unix n - n - 0 cleanup\nqmgr unix n - n 300 1 qmgr\n\
                 rewrite unix - - n - - trivial-rewrite\nbounce unix - - n - 0 bounce\n\
                 defer unix - - n - 0 bounce\ntrace unix - - n - 0 bounce\n\
                 proxymap unix - - n - - proxymap\nshowq unix n - n - - showq\n\
                 error unix - - n - - error\nretry unix - - n - - error\n\
                 scache unix - - n - 1 scache\n\
                 carom-lmtp unix - - n - 10 lmtp\n  -o lmtp_send_xforward_command=yes \
                 -o lmtp_connection_cache_on_demand=no\n\
                 discard unix - - n - 10 discard\nanvil unix - - n - 1 anvil\n\
                 postlog unix-dgram n - n - 1 postlogd\n{}{}",
                pipe("carom", &carom),
                pipe("true", "/bin/true")
            ),
        )?;
        let lmtp = lmtp(&binary, &setting, &dir, &socket)?;
        let postfix = Postfix { config, port, lmtp };
        postfix.wait(|| socket.exists())?;
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o666))?;
        succeed(Command::new("/usr/sbin/postfix").arg("-c").arg(&postfix.config).arg("start"))?;
        postfix.wait(|| TcpStream::connect(("127.0.0.1", port)).is_ok())?;
        Ok(postfix)
    }

    /// Sends messages to this recipient; returns the seconds until the last is delivered.
    fn deliver(&self, recipient: &str) -> Outcome<f64> {
        let began = Instant::now();
        succeed(
            Command::new("/usr/sbin/smtp-source")
                .args(["-s", "10", "-l", "6000", "-m", &MESSAGES.to_string()])
                .args(["-f", "alice@sender.example", "-t", recipient])
                .arg(format!("127.0.0.1:{}", self.port)),
        )?;
        self.wait(|| self.queued() == 0)?;
        Ok(began.elapsed().as_secs_f64())
    }

    fn queued(&self) -> usize {
        let queue = self.config.with_file_name("queue");
        let files = |name: &str| fs::read_dir(queue.join(name)).map_or(0, Iterator::count);
        ["incoming", "active", "deferred"].map(files).iter().sum()
    }

    fn wait(&self, over: impl Fn() -> bool) -> Outcome<()> {
        let began = Instant::now();
        while !over() {
            if began.elapsed() > PATIENCE {
                let log = fs::read_to_string(self.config.with_file_name("mail.log")).unwrap_or_default();
                let end: Vec<&str> = log.lines().rev().take(5).collect();
                return Err(format!("Postfix did not get done: {}", end.join("\n")).into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let _ = Command::new("/usr/sbin/postfix").arg("-c").arg(&self.config).arg("stop").status();
        let _ = self.lmtp.kill();
        let _ = self.lmtp.wait();
    }
}

/// `carom lmtp`, on a socket in a directory of its user.
fn lmtp(binary: &Path, setting: &Setting, dir: &Path, socket: &Path) -> Outcome<Child> {
    succeed(Command::new("chown").arg("nobody").arg(dir))?;
    let mut command = setting.carom(binary, &["lmtp", "--listen"]);
    Ok(command.arg(socket).stdin(Stdio::null()).uid(NOBODY).spawn()?)
}

fn succeed(command: &mut Command) -> Outcome<()> {
    match command.status()?.success() {
        true => Ok(()),
        false => Err(format!("{command:?} failed").into()),
    }
}
