// The settings, `[policy.NAME.settings]` in `carom.toml`, and which values are invalid.
#ifndef SETTINGS_H
#define SETTINGS_H

#include "text.h"

typedef struct {
    // Domains whose mail is refused, in lower case.
    policy_list_string_t blocked;
    // Percent of the accepted messages to keep a copy of.
    double keep_percent;
} settings_t;

// Reads the JSON text from carom. Each complaint is a sentence: key, value, remedy. True: no
// complaints.
bool settings_read(text_t json, settings_t *settings, policy_list_string_t *complaints);

// Whether mail from this domain (in lower case) is refused.
bool settings_block(const settings_t *settings, text_t domain);

#endif
