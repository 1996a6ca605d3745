// A reader for JSON (RFC 8259) of one form: a table with texts, numbers and lists of texts.
// Anything else is skipped, and shown in a complaint as it was written.
#include "settings.h"

#include <stdlib.h>
#include <string.h>

// The deepest nesting of lists and tables.
#define DEEPEST 64

// The unread rest. A zero byte follows the last byte, because every text here was copied by
// text_join.
typedef const char *cursor_t;

static bool step(cursor_t *at, char expected) {
    *at += strspn(*at, " \t\r\n");
    if (**at != expected) return false;
    (*at)++;
    return true;
}

static bool step_word(cursor_t *at, const char *word) {
    size_t len = strlen(word);
    if (strncmp(*at, word, len) != 0) return false;
    *at += len;
    return true;
}

static bool read_hex(cursor_t *at, uint32_t *code) {
    *code = 0;
    for (int i = 0; i < 4; i++, (*at)++) {
        const char *digits = "0123456789abcdef", *digit = **at ? strchr(digits, **at | 0x20) : NULL;
        if (!digit) return false;
        *code = *code * 16 + (uint32_t)(digit - digits);
    }
    return true;
}

// An escape after its backslash, as UTF-8 (RFC 3629).
static bool read_escape(cursor_t *at, text_t *value) {
    const char *names = "\"\\/bfnrt", *meanings = "\"\\/\b\f\n\r\t", *name = **at ? strchr(names, **at) : NULL;
    uint32_t code, low;
    if (name) {
        (*at)++;
        value->ptr[value->len++] = (uint8_t)meanings[name - names];
        return true;
    }
    if (!step_word(at, "u") || !read_hex(at, &code)) return false;
    if (code >= 0xd800 && code < 0xe000) {
        if (code >= 0xdc00 || !step_word(at, "\\u") || !read_hex(at, &low)) return false;
        if (low < 0xdc00 || low > 0xdfff) return false;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    const uint8_t marks[] = {0, 0xc0, 0xe0, 0xf0};
    value->ptr[value->len++] = (uint8_t)(marks[more] | code >> 6 * more);
    while (more-- > 0) value->ptr[value->len++] = (uint8_t)(0x80 | (code >> 6 * more & 0x3f));
    return true;
}

static bool read_text(cursor_t *at, text_t *value) {
    if (!step(at, '"')) return false;
    size_t len = 0;
    while ((*at)[len] != '"' && (*at)[len]) len += (*at)[len] == '\\' && (*at)[len + 1] ? 2 : 1;
    // An escape is never shorter than the character that it means.
    *value = text_join(&(text_t){.ptr = (uint8_t *)*at, .len = len}, 1);
    value->len = 0;
    while (**at != '"') {
        if ((uint8_t)**at < 0x20) return false;
        if (**at != '\\') {
            value->ptr[value->len++] = (uint8_t)*(*at)++;
        } else {
            (*at)++;
            if (!read_escape(at, value)) return false;
        }
    }
    (*at)++;
    return true;
}

static bool read_number(cursor_t *at, double *value) {
    const char *digits = "0123456789";
    cursor_t end = *at + (**at == '-'), start = end;
    end += strspn(end, digits);
    if (end == start || (*start == '0' && end > start + 1)) return false;
    if (*end == '.') {
        size_t places = strspn(end + 1, digits);
        if (places == 0) return false;
        end += 1 + places;
    }
    if (*end == 'e' || *end == 'E') {
        end += 1 + (end[1] == '+' || end[1] == '-');
        size_t places = strspn(end, digits);
        if (places == 0) return false;
        end += places;
    }
    *value = strtod(*at, NULL);
    *at = end;
    return true;
}

// Skips any value. False if it is not JSON.
static bool skip(cursor_t *at, int depth) {
    text_t name;
    double number;
    char close = step(at, '{') ? '}' : step(at, '[') ? ']' : 0;
    if (close && depth == 0) return false;
    if (close && step(at, close)) return true;
    while (close) {
        if (close == '}' && !(read_text(at, &name) && step(at, ':'))) return false;
        if (!skip(at, depth - 1)) return false;
        if (step(at, close)) return true;
        if (!step(at, ',')) return false;
    }
    if (**at == '"') return read_text(at, &name);
    return step_word(at, "true") || step_word(at, "false") || step_word(at, "null") || read_number(at, &number);
}

static void add(policy_list_string_t *list, text_t item) {
    list->ptr = realloc(list->ptr, (list->len + 1) * sizeof *list->ptr);
    if (!list->ptr) abort();
    list->ptr[list->len++] = item;
}

static bool read_domains(cursor_t at, policy_list_string_t *domains) {
    policy_list_string_t found = {0};
    if (!step(&at, '[')) return false;
    for (bool more = !step(&at, ']'); more; more = step(&at, ',')) {
        text_t domain;
        if (!read_text(&at, &domain)) return false;
        add(&found, text_lower(domain));
    }
    *domains = found;
    return true;
}

static bool read_percent(cursor_t at, double *percent) {
    double value;
    if (!read_number(&at, &value) || value < 0 || value > 100) return false;
    *percent = value;
    return true;
}

// Sets one setting from the value at the cursor. Returns the remedy if it is invalid.
static const char *set(settings_t *settings, text_t key, cursor_t value) {
    if (text_equals(key, "blocked")) {
        return read_domains(value, &settings->blocked) ? NULL : "give a list of domains";
    }
    if (text_equals(key, "keep_percent")) {
        return read_percent(value, &settings->keep_percent) ? NULL : "give a number from 0 to 100";
    }
    return "unknown setting, remove it or correct its name";
}

bool settings_read(text_t json, settings_t *settings, policy_list_string_t *complaints) {
    *settings = (settings_t){0};
    *complaints = (policy_list_string_t){0};
    json = text_join(&json, 1);
    json.ptr[json.len] = 0;
    cursor_t at = (cursor_t)json.ptr, end = at;
    if (memchr(at, 0, json.len) || !skip(&end, DEEPEST) || !step(&end, 0) || !step(&at, '{')) {
        text_t parts[] = {text("settings = "), json, text(": give a table, such as {\"keep_percent\":10}")};
        add(complaints, text_join(parts, 3));
        return false;
    }
    for (bool more = !step(&at, '}'); more; more = step(&at, ',')) {
        text_t key;
        if (!read_text(&at, &key) || !step(&at, ':')) abort();
        at += strspn(at, " \t\r\n");
        text_t value = {.ptr = (uint8_t *)at};
        skip(&at, DEEPEST);
        value.len = (size_t)(at - (cursor_t)value.ptr);
        const char *remedy = set(settings, key, (cursor_t)value.ptr);
        if (remedy) {
            text_t parts[] = {key, text(" = "), value, text(": "), text(remedy)};
            add(complaints, text_join(parts, 5));
        }
    }
    return complaints->len == 0;
}

bool settings_block(const settings_t *settings, text_t domain) {
    for (size_t i = 0; i < settings->blocked.len; i++) {
        if (text_same(settings->blocked.ptr[i], domain)) return true;
    }
    return false;
}
