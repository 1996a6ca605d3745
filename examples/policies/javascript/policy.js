// A first policy: it refuses blocked senders, bounces what asks for it, and keeps a sample of the
// rest.
//
// Read `decide` first. Each exported object is an interface in wit/world.wit. Enums such as
// `temp-error` are strings, and a missing option is undefined.
import * as actions from "carom:policy/actions@1.1.0";
import * as facts from "carom:policy/facts@1.1.0";
import * as host from "carom:policy/host@1.1.0";

const now = { delay: 0 };
const after = (step, outcome) => ({ after: [step, outcome], delay: 0 });

export const decision = {
  /** Called once for each message, to build its plan. Nothing is done before it has returned. */
  decide() {
    const { settings, complaints } = readSettings(host.settings());
    // A string that is thrown is the error that carom gets.
    if (complaints.length > 0) throw complaints.join("; ");
    const sender = facts.sender();
    if (sender === "") {
      // The null sender: a bounce or an automatic reply. Answering it would cause a loop.
      actions.accept();
      actions.count("null_sender", now);
      return;
    }
    const domain = domainOf(sender);
    if (settings.blocked.includes(domain)) {
      const text = `mail from ${domain} is not taken here`;
      const rejected = actions.reject({ code: 550, enhanced: "5.7.1", text });
      actions.count("blocked", after(rejected, "succeeded"));
      return;
    }
    if (facts.dkim() === "temp-error") {
      // "Not known now" is not "failed": the mail server keeps the message and retries.
      const text = "try again later: DKIM cannot be checked now";
      actions.defer({ code: 451, enhanced: "4.7.5", text });
      return;
    }
    const subject = facts.header("Subject") ?? "";
    if (subject.toLowerCase().includes("bounce me")) {
      actions.accept();
      const reply = { code: 550, enhanced: "5.1.1", text: "no such user" };
      const bounced = actions.bounce({ reply }, now);
      actions.count("bounced", after(bounced, "succeeded"));
      return;
    }
    actions.accept();
    actions.count("accept", now);
    if (host.chance() * 100 < settings.keep_percent) actions.keep(now);
  },
};

export const mapping = {
  /** Whether a bounce may go to this return path, and through which hosts. Undefined is no. */
  mayAnswer(returnPath, hosts) {
    const { settings, complaints } = readSettings(host.settings());
    if (complaints.length > 0 || settings.blocked.includes(domainOf(returnPath))) return undefined;
    return { hosts };
  },
};

export const classification = {
  /** What delivery failures mean for the address. */
  classify: (failures) => failures.map(classOf),
};

export const settings = {
  /** Called when the settings are written or changed, long before a message comes. */
  validate: (text) => readSettings(text).complaints,
};

/** The domain of an address, in lower case. */
function domainOf(address) {
  const at = address.lastIndexOf("@");
  return at < 0 ? "" : address.slice(at + 1).toLowerCase();
}

/** The text says more than the status, which is often wrong or missing. */
function classOf({ text, status }) {
  const said = text.toLowerCase();
  const says = (phrase) => said.includes(phrase);
  if (says("user unknown") || says("no such user") || status === "5.1.1") {
    return { reason: "user-unknown", category: "bad-mailbox", severity: "hard", rule: "user-unknown" };
  }
  if (says("quota") || says("mailbox full") || status === "4.2.2" || status === "5.2.2") {
    return { reason: "mailbox-full", category: "quota-issues", severity: "soft", rule: "mailbox-full" };
  }
  return { reason: "undetermined", category: "other", severity: "unknown", rule: "" };
}

/** Reads the JSON text that carom gives. Each complaint is a sentence: key, value, remedy. */
function readSettings(text) {
  const settings = { blocked: [], keep_percent: 0 };
  const table = parseTable(text);
  if (!table) return { settings, complaints: [`settings = ${text}: give a table, such as {"keep_percent":10}`] };
  const complaints = [];
  for (const [key, value] of Object.entries(table)) {
    const complain = (remedy) => complaints.push(`${key} = ${JSON.stringify(value)}: ${remedy}`);
    if (key === "blocked") {
      const domains = Array.isArray(value) && value.every((domain) => typeof domain === "string");
      if (domains) settings.blocked = value.map((domain) => domain.toLowerCase());
      else complain("give a list of domains");
    } else if (key === "keep_percent") {
      if (typeof value === "number" && value >= 0 && value <= 100) settings.keep_percent = value;
      else complain("give a number from 0 to 100");
    } else {
      complain("unknown setting, remove it or correct its name");
    }
  }
  return { settings, complaints };
}

/** The object that the text is, or nothing. */
function parseTable(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
