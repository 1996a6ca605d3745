// A first policy: it refuses blocked senders, bounces what asks for it, and keeps a sample of the
// rest.
//
// Read `exports_decision_decide` first. settings.c reads the settings; bindings/policy.h has the
// functions that carom offers and calls. Each message gets a fresh instance, so memory for a
// message need not be freed.
#include "settings.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

static actions_schedule_t now = {.after = {.is_some = false}, .delay = 0};

// Adds one to a counter, now or when an earlier step has succeeded.
static void count(const char *name, actions_schedule_t *when) {
    text_t counter = text(name);
    actions_count(&counter, when);
}

static actions_schedule_t after(uint32_t step) {
    return (actions_schedule_t){.after = {true, {step, ACTIONS_OUTCOME_SUCCEEDED}}, .delay = 0};
}

static actions_reply_t reply(uint16_t code, const char *enhanced, text_t says) {
    return (actions_reply_t){.code = code, .enhanced = text(enhanced), .text = says};
}

// The settings; false, with the complaints, if they are invalid.
static bool settings_given(settings_t *settings, policy_list_string_t *complaints) {
    text_t json;
    host_settings(&json);
    return settings_read(json, settings, complaints);
}

// Called once for each message, to build its plan. Nothing is done before it has returned. False:
// an error.
bool exports_decision_decide(policy_string_t *err) {
    settings_t settings;
    policy_list_string_t complaints;
    if (!settings_given(&settings, &complaints)) {
        *err = complaints.ptr[0];
        for (size_t i = 1; i < complaints.len; i++) {
            *err = text_join((text_t[]){*err, text("; "), complaints.ptr[i]}, 3);
        }
        return false;
    }
    text_t sender;
    facts_sender(&sender);
    if (sender.len == 0) {
        // The null sender: a bounce or an automatic reply. Answering it would cause a loop.
        actions_accept();
        count("null_sender", &now);
        return true;
    }
    text_t domain = text_domain(sender);
    if (settings_block(&settings, domain)) {
        text_t parts[] = {text("mail from "), domain, text(" is not taken here")};
        actions_reply_t refusal = reply(550, "5.7.1", text_join(parts, 3));
        actions_schedule_t when = after(actions_reject(&refusal));
        count("blocked", &when);
        return true;
    }
    if (facts_dkim() == FACTS_VERDICT_TEMP_ERROR) {
        // "Not known now" is not "failed": the mail server keeps the message and retries.
        actions_reply_t later = reply(451, "4.7.5", text("try again later: DKIM cannot be checked now"));
        actions_defer(&later);
        return true;
    }
    text_t name = text("Subject"), subject;
    if (facts_header(&name, &subject) && text_says(subject, "bounce me")) {
        actions_accept();
        actions_delivery_report_t report = {.reply = reply(550, "5.1.1", text("no such user")), .sender = {false}};
        actions_schedule_t when = after(actions_bounce(&report, &now));
        count("bounced", &when);
        return true;
    }
    actions_accept();
    count("accept", &now);
    if (host_chance() * 100 < settings.keep_percent) actions_keep(&now);
    return true;
}

// Whether a bounce may go to this return path, and through which hosts. False: it may not.
bool exports_mapping_may_answer(text_t *return_path, policy_list_string_t *hosts, exports_mapping_route_t *ret) {
    settings_t settings;
    policy_list_string_t complaints;
    if (!settings_given(&settings, &complaints)) return false;
    if (settings_block(&settings, text_domain(*return_path))) return false;
    *ret = (exports_mapping_route_t){.hosts = *hosts, .feedback_address = {false}};
    return true;
}

typedef exports_classification_class_t class_t;

// The text says more than the status, which is often wrong or missing. carom frees what is
// returned, so it is copied.
static class_t class_of(const exports_classification_failure_t *failure) {
    text_t said = failure->text, status = failure->status;
    if (text_says(said, "user unknown") || text_says(said, "no such user") || text_equals(status, "5.1.1")) {
        return (class_t){
            .reason = text_copy("user-unknown"),
            .category = text_copy("bad-mailbox"),
            .severity = EXPORTS_CLASSIFICATION_SEVERITY_HARD,
            .rule = text_copy("user-unknown"),
        };
    }
    bool full = text_equals(status, "4.2.2") || text_equals(status, "5.2.2");
    if (full || text_says(said, "quota") || text_says(said, "mailbox full")) {
        return (class_t){
            .reason = text_copy("mailbox-full"),
            .category = text_copy("quota-issues"),
            .severity = EXPORTS_CLASSIFICATION_SEVERITY_SOFT,
            .rule = text_copy("mailbox-full"),
        };
    }
    return (class_t){
        .reason = text_copy("undetermined"),
        .category = text_copy("other"),
        .severity = EXPORTS_CLASSIFICATION_SEVERITY_UNKNOWN,
        .rule = text(""),
    };
}

// What delivery failures mean for the address. There may be millions of them, so all memory is
// freed.
void exports_classification_classify(
    exports_classification_list_failure_t *failures, exports_classification_list_class_t *ret) {
    ret->len = failures->len;
    ret->ptr = calloc(failures->len + 1, sizeof *ret->ptr);
    if (!ret->ptr) abort();
    for (size_t i = 0; i < failures->len; i++) ret->ptr[i] = class_of(&failures->ptr[i]);
    exports_classification_list_failure_free(failures);
}

// Called when the settings are written or changed, long before a message comes.
void exports_settings_validate(text_t *settings, policy_list_string_t *ret) {
    settings_t unused;
    settings_read(*settings, &unused, ret);
}
