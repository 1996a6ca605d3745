#include "text.h"

#include <stdlib.h>
#include <string.h>

static uint8_t lower(uint8_t byte) {
    return byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte;
}

text_t text(const char *string) {
    return (text_t){.ptr = (uint8_t *)string, .len = strlen(string)};
}

text_t text_copy(const char *string) {
    text_t original = text(string);
    return text_join(&original, 1);
}

text_t text_join(const text_t *parts, size_t count) {
    size_t len = 0;
    for (size_t i = 0; i < count; i++) len += parts[i].len;
    text_t joined = {.ptr = malloc(len + 1), .len = 0};
    if (!joined.ptr) abort();
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len > 0) memcpy(joined.ptr + joined.len, parts[i].ptr, parts[i].len);
        joined.len += parts[i].len;
    }
    return joined;
}

text_t text_lower(text_t from) {
    text_t lowered = text_join(&from, 1);
    for (size_t i = 0; i < lowered.len; i++) lowered.ptr[i] = lower(lowered.ptr[i]);
    return lowered;
}

bool text_same(text_t one, text_t other) {
    return one.len == other.len && (one.len == 0 || memcmp(one.ptr, other.ptr, one.len) == 0);
}

bool text_equals(text_t one, const char *other) {
    return text_same(one, text(other));
}

bool text_says(text_t within, const char *phrase) {
    size_t len = strlen(phrase);
    for (size_t start = 0; start + len <= within.len; start++) {
        size_t same = 0;
        while (same < len && lower(within.ptr[start + same]) == (uint8_t)phrase[same]) same++;
        if (same == len) return true;
    }
    return false;
}

text_t text_domain(text_t address) {
    size_t start = address.len;
    while (start > 0 && address.ptr[start - 1] != '@') start--;
    if (start == 0) return text("");
    return text_lower((text_t){.ptr = address.ptr + start, .len = address.len - start});
}
