// Text as carom passes it: UTF-8 with a length, without a zero byte at the end.
//
// Case means ASCII case, as in domains, status codes and replies.
#ifndef TEXT_H
#define TEXT_H

#include "bindings/policy.h"

typedef policy_string_t text_t;

// The text of a C string, not copied.
text_t text(const char *string);

// A copy of a C string that carom may free.
text_t text_copy(const char *string);

// A new text: these texts, joined.
text_t text_join(const text_t *parts, size_t count);

// A new text, in lower case.
text_t text_lower(text_t from);

bool text_equals(text_t one, const char *other);
bool text_same(text_t one, text_t other);

// Whether it contains this lower-case phrase, ignoring case.
bool text_says(text_t within, const char *phrase);

// The domain of an address, in lower case; empty if it has none.
text_t text_domain(text_t address);

#endif
