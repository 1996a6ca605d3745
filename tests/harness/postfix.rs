//! A private Postfix on loopback: Debian's programs, with a config, a queue and ports of its own.

use super::{CAROM, Sandbox, free_port, wait_for};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

pub(crate) struct Postfix {
    dir: PathBuf,
    /// Where it takes mail by SMTP.
    pub(crate) port: u16,
}

impl Postfix {
    /// Starts a Postfix whose mail for sink.example goes through the README's pipe(8) lines to carom in this sandbox, and whose
    /// own bounces go to `bounces_to`.
    pub(crate) fn start(sandbox: &Sandbox, bounces_to: u16) -> Postfix {
        Postfix::start_with(sandbox, bounces_to, "")
    }

    /// The same, with more lines for main.cf.
    pub(crate) fn start_with(sandbox: &Sandbox, bounces_to: u16, more: &str) -> Postfix {
        let snippet = |name: &str| fs::read_to_string(Path::new("examples/postfix").join(name)).unwrap();
        let main = format!("{}\n{more}", snippet("main.cf").replace("sink.example.com", "sink.example"));
        Postfix::start_from(sandbox, bounces_to, &main, &snippet("master.cf"))
    }

    /// The same, with a transport `carom-POLICY` for the mail of each of these domains.
    pub(crate) fn start_with_policies(
        sandbox: &Sandbox,
        bounces_to: u16,
        more: &str,
        policies: &[(&str, &str)],
    ) -> Postfix {
        let snippet = |name: &str| fs::read_to_string(Path::new("examples/postfix").join(name)).unwrap();
        let mut main = snippet("main.cf").replace("sink.example.com", "sink.example");
        let mut services = snippet("master.cf");
        for (policy, domain) in policies {
            main = main.replace("relay_domains =", &format!("relay_domains = {domain}"));
            main = main.replace("inline:{", &format!("inline:{{ {{{domain}=carom-{policy}}},"));
            let service =
                snippet("master.cf").replace("carom pipe", &format!("carom pipe --policy {policy}"));
            services.push_str(&service.replacen("carom ", &format!("carom-{policy} "), 1));
        }
        Postfix::start_from(sandbox, bounces_to, &format!("{main}\n{more}"), &services)
    }

    /// Delivers nothing more by this transport.
    pub(crate) fn defer_transport(&self, name: &str) {
        let main = self.dir.join("config/main.cf");
        let text = fs::read_to_string(&main).unwrap();
        fs::write(main, format!("{text}defer_transports = {name}\n")).unwrap();
        self.reload();
    }

    /// One with these lines of main.cf and master.cf.
    pub(crate) fn start_serving(sandbox: &Sandbox, main: &str, services: &str) -> Postfix {
        Postfix::start_from(sandbox, 1, main, services)
    }

    /// The same, whose own bounces go to `bounces_to`.
    pub(crate) fn start_bouncing(sandbox: &Sandbox, bounces_to: u16, main: &str, services: &str) -> Postfix {
        Postfix::start_from(sandbox, bounces_to, main, services)
    }

    /// One that does not know carom.
    pub(crate) fn start_unwired(sandbox: &Sandbox, bounces_to: u16) -> Postfix {
        Postfix::start_from(sandbox, bounces_to, "", "")
    }

    /// The same with these lines for main.cf.
    pub(crate) fn start_unwired_with(sandbox: &Sandbox, bounces_to: u16, main: &str) -> Postfix {
        Postfix::start_from(sandbox, bounces_to, main, "").without_pipe(sandbox)
    }

    /// The state belongs to the user that a listener runs as.
    fn without_pipe(self, sandbox: &Sandbox) -> Postfix {
        run(Command::new("chown").args(["-R", "root"]).arg(sandbox.path("state")));
        self
    }

    /// One whose mail for sink.example goes to the `carom lmtp` that listens on this unix socket.
    pub(crate) fn start_lmtp(sandbox: &Sandbox, bounces_to: u16, socket: &Path) -> Postfix {
        let snippet = |name: &str| fs::read_to_string(Path::new("examples/postfix-lmtp").join(name)).unwrap();
        let main = snippet("main.cf").replace("sink.example.com", "sink.example");
        let main = main.replace("/run/carom/lmtp", &socket.display().to_string());
        Postfix::let_in(socket);
        Postfix::start_from(sandbox, bounces_to, &main, &snippet("master.cf")).without_pipe(sandbox)
    }

    /// Gives it a unix socket.
    pub(crate) fn let_in(socket: &Path) {
        run(Command::new("chown").arg("postfix").arg(socket));
    }

    fn start_from(sandbox: &Sandbox, bounces_to: u16, more: &str, services: &str) -> Postfix {
        let postfix = Path::new("/usr/sbin/postfix");
        assert!(postfix.exists(), "Postfix is not installed: run `make test`, or `apt-get install postfix`");
        let dir = sandbox.path("postfix");
        let port = free_port();
        for folder in ["config", "queue", "data"] {
            fs::create_dir_all(dir.join(folder)).unwrap();
        }
        // The mail user must reach the binary and write the state.
        let binary = sandbox.path("carom");
        fs::copy(CAROM, &binary).unwrap();
        fs::create_dir_all(sandbox.path("state")).unwrap();
        let open = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        open(&sandbox.dir);
        open(&binary);
        run(Command::new("chown").args(["-R", "nobody"]).arg(sandbox.path("state")));
        run(Command::new("chown").arg("postfix").arg(dir.join("data")));
        let master = services
            .replace(
                "/usr/bin/carom",
                &format!("{} --config {}", binary.display(), sandbox.path("carom.toml").display()),
            )
            .replace("user=carom", "user=nobody");
        let d = dir.display();
        // Each program of Postfix warns of a second value, also when nobody reads what it logs: then it waits.
        let is_set = more.contains("minimal_backoff_time");
        let tries = if is_set { "" } else { "minimal_backoff_time = 1s\nmaximal_backoff_time = 1s\n" };
        let main = format!(
            "compatibility_level = 3.6\nqueue_directory = {d}/queue\ndata_directory = {d}/data\nmail_owner = postfix\n\
             setgid_group = postdrop\nmyhostname = mx.sink.example\nmydestination =\nmynetworks = 127.0.0.0/8\n\
             inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nmaillog_file = {d}/mail.log\nmaillog_file_prefixes = {d}\n\
             alias_maps =\nalias_database =\nlocal_recipient_maps =\nsmtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\n\
             relayhost = [127.0.0.1]:{bounces_to}\nsmtp_dns_support_level = disabled\nsmtp_host_lookup = native\nqueue_run_delay = 1s\n\
             smtputf8_enable = no\n{tries}{more}\n"
        );
        fs::write(dir.join("config/main.cf"), main).unwrap();
        let services = format!(
            "127.0.0.1:{port} inet n - n - - smtpd\n{BASE}{master}",
            BASE = "pickup unix n - n 60 1 pickup\ncleanup unix n - n - 0 cleanup\nqmgr unix n - n 300 1 qmgr\nrewrite unix - - n - - trivial-rewrite\n\
                bounce unix - - n - 0 bounce\ndefer unix - - n - 0 bounce\ntrace unix - - n - 0 bounce\nverify unix - - n - 1 verify\n\
                flush unix n - n 1000? 0 flush\nproxymap unix - - n - - proxymap\nsmtp unix - - n - - smtp\nrelay unix - - n - - smtp\n\
                showq unix n - n - - showq\nerror unix - - n - - error\nretry unix - - n - - error\ndiscard unix - - n - - discard\n\
                anvil unix - - n - 1 anvil\nscache unix - - n - 1 scache\ntlsmgr unix - - n 1000? 1 tlsmgr\npostlog unix-dgram n - n - 1 postlogd\n"
        );
        fs::write(dir.join("config/master.cf"), services).unwrap();
        run(Command::new(postfix).arg("-c").arg(dir.join("config")).arg("start"));
        let started = Postfix { dir, port };
        wait_for(20, "Postfix to listen", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        started
    }

    /// What is answered to RCPT.
    pub(crate) fn rcpt(&self, from: &str, to: &str) -> String {
        let (mut out, mut reply) = self.connect();
        let mut last = String::new();
        for command in ["EHLO client.example", &format!("MAIL FROM:<{from}>"), &format!("RCPT TO:<{to}>")] {
            write!(out, "{command}\r\n").unwrap();
            last = reply();
        }
        last
    }

    /// An SMTP session that has been greeted: where commands go, and the last line of each reply.
    pub(crate) fn connect(&self) -> (TcpStream, impl FnMut() -> String) {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let out = stream.try_clone().unwrap();
        let mut lines = BufReader::new(stream);
        let mut reply = move || loop {
            let mut line = String::new();
            lines.read_line(&mut line).unwrap();
            if line.as_bytes().get(3) != Some(&b'-') {
                return line;
            }
        };
        reply();
        (out, reply)
    }

    /// Hands a message in by SMTP; returns the reply to its end.
    pub(crate) fn send(&self, from: &str, to: &str, message: &[u8]) -> String {
        let (mut out, mut reply) = self.connect();
        for command in [
            "EHLO client.sender.example".into(),
            format!("MAIL FROM:<{from}>"),
            format!("RCPT TO:<{to}>"),
            "DATA".into(),
        ] {
            write!(out, "{command}\r\n").unwrap();
            let answer = reply();
            assert!(answer.starts_with('2') || answer.starts_with("354"), "{command}: {answer}");
        }
        for line in message.split_inclusive(|&byte| byte == b'\n') {
            if line.starts_with(b".") {
                out.write_all(b".").unwrap();
            }
            out.write_all(line).unwrap();
        }
        out.write_all(b".\r\n").unwrap();
        reply()
    }

    /// Hands a message in by sendmail(1), with the null sender, as a filter on this host may do.
    pub(crate) fn hand_in(&self, to: &str, message: &[u8]) {
        let mut command = Command::new("/usr/sbin/sendmail");
        command.arg("-C").arg(self.dir.join("config")).args(["-i", "-f", "<>", to]);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(message).unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// Has new processes read config and tables.
    pub(crate) fn reload(&self) {
        run(Command::new("/usr/sbin/postfix").arg("-c").arg(self.dir.join("config")).arg("reload"));
    }

    /// Tries everything in the queue again.
    pub(crate) fn flush(&self) {
        run(Command::new("/usr/sbin/postqueue").arg("-c").arg(self.dir.join("config")).arg("-f"));
    }

    /// Messages in the queue.
    pub(crate) fn queued(&self) -> usize {
        self.queue().lines().count()
    }

    /// The queue, a line of JSON for each message.
    fn queue(&self) -> String {
        let listed = Command::new("/usr/sbin/postqueue")
            .arg("-c")
            .arg(self.dir.join("config"))
            .arg("-j")
            .output()
            .unwrap();
        String::from_utf8_lossy(&listed.stdout).into_owned()
    }

    /// Renames and compresses the log, and begins a new one, as Postfix does it itself. Its names have seconds.
    pub(crate) fn rotate(&self) {
        std::thread::sleep(Duration::from_millis(1100));
        run(Command::new("/usr/sbin/postfix").arg("-c").arg(self.dir.join("config")).arg("logrotate"));
    }

    /// Lets everybody read its logs: Postfix makes them readable for root alone.
    pub(crate) fn share_logs(&self) {
        for entry in fs::read_dir(&self.dir).unwrap().flatten() {
            if entry.file_name().to_string_lossy().starts_with("mail.log") {
                // It may be renamed meanwhile.
                let _ = fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o644));
            }
        }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.join("mail.log")).unwrap_or_default()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let newest = log.lines().rev().take(100).collect::<Vec<_>>();
            let newest = newest.into_iter().rev().fold(String::new(), |all, line| all + line + "\n");
            let _ = std::io::stderr().write_all((newest + &self.queue()).as_bytes());
        }
        let _ = Command::new("/usr/sbin/postfix").arg("-c").arg(self.dir.join("config")).arg("stop").status();
    }
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
