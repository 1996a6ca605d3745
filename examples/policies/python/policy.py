"""A first policy: it refuses blocked senders, bounces what asks for it, and keeps a sample of the rest.

Read `Decision.decide` first. Each class is an interface of wit/world.wit; `wit_world` is made by componentize-py.
"""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.classification import Class, Failure, Severity
from wit_world.exports.mapping import Route
from wit_world.imports import actions, facts, host
from wit_world.imports.actions import DeliveryReport, Outcome, Reply, Schedule
from wit_world.imports.facts import Verdict

NOW = Schedule(after=None, delay=0)


def after(step: int, outcome: Outcome) -> Schedule:
    return Schedule(after=(step, outcome), delay=0)


class Decision(exports.Decision):
    def decide(self) -> None:
        """Called once for each message, to build its plan. Nothing is done before it has returned."""
        settings, complaints = read_settings(host.settings())
        if complaints:
            raise Err("; ".join(complaints))
        sender = facts.sender()
        if not sender:
            # The null sender: a bounce or an automatic reply. Answering it would cause a loop.
            actions.accept()
            actions.count("null_sender", NOW)
            return
        domain = domain_of(sender)
        if domain in settings["blocked"]:
            rejected = actions.reject(Reply(550, "5.7.1", f"mail from {domain} is not taken here"))
            actions.count("blocked", after(rejected, Outcome.SUCCEEDED))
            return
        if facts.dkim() == Verdict.TEMP_ERROR:
            # "Not known now" is not "failed": the mail server keeps the message and retries.
            actions.defer(Reply(451, "4.7.5", "try again later: DKIM cannot be checked now"))
            return
        subject = facts.header("Subject") or ""
        if "bounce me" in subject.lower():
            actions.accept()
            report = DeliveryReport(reply=Reply(550, "5.1.1", "no such user"), sender=None)
            bounced = actions.bounce(report, NOW)
            actions.count("bounced", after(bounced, Outcome.SUCCEEDED))
            return
        actions.accept()
        actions.count("accept", NOW)
        if host.chance() * 100 < settings["keep_percent"]:
            actions.keep(NOW)


class Mapping(exports.Mapping):
    def may_answer(self, return_path: str, hosts: list[str]) -> Route | None:
        """Whether a bounce may go to this return path, and through which hosts. None: it may not."""
        settings, complaints = read_settings(host.settings())
        if complaints or domain_of(return_path) in settings["blocked"]:
            return None
        return Route(hosts=hosts, feedback_address=None)


class Classification(exports.Classification):
    def classify(self, failures: list[Failure]) -> list[Class]:
        """What delivery failures mean for the address."""
        return [class_of(failure) for failure in failures]


class Settings(exports.Settings):
    def validate(self, settings: str) -> list[str]:
        """Called when the settings are written or changed, long before a message comes."""
        return read_settings(settings)[1]


def domain_of(address: str) -> str:
    """The domain of an address, in lower case."""
    _, at, domain = address.rpartition("@")
    return domain.lower() if at else ""


def class_of(failure: Failure) -> Class:
    """The text says more than the status, which is often wrong or missing."""
    text, status = failure.text.lower(), failure.status
    if "user unknown" in text or "no such user" in text or status == "5.1.1":
        return Class("user-unknown", "bad-mailbox", Severity.HARD, "user-unknown")
    if "quota" in text or "mailbox full" in text or status in ("4.2.2", "5.2.2"):
        return Class("mailbox-full", "quota-issues", Severity.SOFT, "mailbox-full")
    return Class("undetermined", "other", Severity.UNKNOWN, "")


def read_settings(text: str) -> tuple[dict, list[str]]:
    """Reads the JSON text from carom. Each complaint is a sentence: key, value, remedy."""
    settings = {"blocked": [], "keep_percent": 0}
    try:
        table = json.loads(text)
    except ValueError:
        table = None
    if not isinstance(table, dict):
        return settings, [f'settings = {text}: give a table, such as {{"keep_percent":10}}']
    complaints = []
    for key, value in table.items():
        remedy = None
        if key == "blocked":
            if isinstance(value, list) and all(isinstance(domain, str) for domain in value):
                settings["blocked"] = [domain.lower() for domain in value]
            else:
                remedy = "give a list of domains"
        elif key == "keep_percent":
            # In Python, true and false are also numbers.
            if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 100:
                settings["keep_percent"] = value
            else:
                remedy = "give a number from 0 to 100"
        else:
            remedy = "unknown setting, remove it or correct its name"
        if remedy:
            shown = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
            complaints.append(f"{key} = {shown}: {remedy}")
    return settings, complaints
