"""Events that carom wrote, in the tables and views of examples/clickhouse: run by run.sh."""

import json, pathlib, subprocess, sys, tempfile

from chdb import session

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CAROM = str(pathlib.Path(sys.argv[1]).resolve())
STAMP = "2026-03-01T10:00:{:02}.000000+00:00 mx postfix/"


def message(n, status, dsn, reply):
    queue_id = f"4Xn0y8{n:06}zZ1f"
    line = lambda text: STAMP.format(n % 60) + text + "\n"
    return (
        line(f"qmgr[1]: {queue_id}: from=<s@shop.example>, size=1000, nrcpt=1 (queue active)")
        + line(
            f"smtp[2]: {queue_id}: to=<User{n}@dest.example>, relay=mx.dest.example[192.0.2.9]:25, delay=1.5, "
            f"delays=0.1/0/0.4/1, dsn={dsn}, status={status} ({reply})"
        )
        + ("" if status == "deferred" else line(f"qmgr[1]: {queue_id}: removed"))
    )


def events(home):
    """What carom sends after a few ticks, as lines."""
    home = pathlib.Path(home)
    config = home / "carom.toml"
    config.write_text(
        f'state = "{home}/state"\n[log]\ndirectory = "{home}/log"\n[network]\nhostname = "mx1"\n'
        f'[[logs]]\nkind = "postfix"\npath = "{home}/mail.log"\ntimezone = "UTC"\n'
        f'[[events]]\nkind = "file"\npath = "{home}/events"\n'
    )

    def carom(*arguments, stdin=b""):
        ran = subprocess.run([CAROM, "--config", config, *arguments], input=stdin, capture_output=True)
        return ran

    log = open(home / "mail.log", "a")
    log.write(message(1, "sent", "2.0.0", "250 ok") + message(2, "bounced", "5.1.1", "550 5.1.1 user unknown"))
    log.write(message(3, "deferred", "4.7.1", "451 4.7.1 greylisted"))
    log.flush()
    carom("cron")
    log.write(message(3, "sent", "2.0.0", "250 ok"))
    log.flush()
    carom("pipe", "--sender", "a@b.example", "--recipient", "fail-1@sink.example.com", stdin=b"Subject: x\n\nx\n")
    carom("suppress", "add", "gone@dest.example", "--reason", "asked")
    carom("suppress", "remove", "gone@dest.example")
    ran = carom("cron", "--json")
    assert not json.loads(ran.stdout)["problems"], ran
    return "".join(file.read_text() for file in sorted((home / "events").glob("events-*.jsonl")))


def statements(name):
    text = (ROOT / "examples/clickhouse" / name).read_text()
    code = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    return [statement for statement in code.split(";") if statement.strip()]


def main():
    with tempfile.TemporaryDirectory() as home:
        lines = events(home)
        db = session.Session(f"{home}/chdb")
        db.query("CREATE DATABASE mail")
        db.query("USE mail")
        for statement in statements("1-tables.sql") + statements("2-views.sql"):
            db.query(statement)
        rows = lambda query: [json.loads(line) for line in str(db.query(query, "JSONEachRow")).splitlines()]
        # The settings of carom's insert. A batch that comes again under its token is stored once; one that comes
        # under another is merged away by its ids.
        insert = (
            "INSERT INTO carom_events SETTINGS insert_deduplication_token = 'TOKEN', async_insert = 0, "
            "date_time_input_format = 'best_effort', input_format_skip_unknown_fields = 1, "
            "input_format_json_read_objects_as_strings = 1 FORMAT JSONEachRow\n" + lines
        )
        sent = len(lines.splitlines())
        db.query(insert.replace("TOKEN", "a", 1))
        db.query(insert.replace("TOKEN", "a", 1))
        stored = rows("SELECT count() AS n FROM carom_events")[0]["n"]
        assert int(stored) == sent, f"a token that comes again is stored once: {stored} of {sent}"
        db.query(insert.replace("TOKEN", "b", 1))
        assert int(rows("SELECT count() AS n FROM carom_events FINAL")[0]["n"]) == sent
        changes = rows("SELECT status, recipient, recipient_domain, sender_domain, reason, sources FROM carom_deliveries ORDER BY recipient, time")
        assert [one["status"] for one in changes if one["recipient"] == "user3@dest.example"] == ["deferred", "sent"] or len(changes) == 4, changes
        assert all(one["recipient_domain"] == "dest.example" and one["sender_domain"] == "shop.example" for one in changes)
        latest = {one["recipient"]: one for one in rows("SELECT * FROM carom_latest_deliveries")}
        assert {name: one["status"] for name, one in latest.items()} == {
            "user1@dest.example": "sent",
            "user2@dest.example": "bounced",
            "user3@dest.example": "sent",
        }, latest
        assert latest["user2@dest.example"]["reason"] == "user-unknown", latest
        # The class of a delivery changes: the same time and attempts, under another id of the same delivery.
        bounced = [json.loads(line) for line in lines.splitlines() if '"status":"bounced"' in line][0]
        for number, reason in [(9, "inactive"), (3, "full"), (6, "moved")]:
            bounced["id"] = bounced["id"][:16] + f"{number:016x}"
            bounced["data"]["reason"] = reason
            token = f"'{reason}'"
            db.query(insert.replace("'TOKEN'", token, 1).replace(lines, json.dumps(bounced) + "\n"))
            latest = rows("SELECT reason FROM carom_latest_deliveries WHERE recipient = 'user2@dest.example'")
            assert [one["reason"] for one in latest] == [reason], (reason, latest)
        by_hour = rows("SELECT * FROM carom_deliveries_by_hour")
        assert sum(int(one["deliveries"]) for one in by_hour) == 3, by_hour
        verdicts = rows("SELECT * FROM carom_verdicts")
        assert verdicts and all(one["verdict"] for one in verdicts), verdicts
        steps = rows("SELECT * FROM carom_steps")
        rows("SELECT * FROM carom_reports")
        listed = rows("SELECT change, address, sender_domain FROM carom_suppressions ORDER BY time, change")
        assert [one["change"] for one in listed if one["address"] == "gone@dest.example"] == ["added", "removed"], listed
        print(f"ok: {sent} events of carom in ClickHouse's engine; {len(verdicts)} verdicts, {len(steps)} steps, views queried")


main()
