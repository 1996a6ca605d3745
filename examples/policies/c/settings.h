// The settings, `[policy.NAME.settings]` in `carom.toml`: what there is, and what values make no sense.
#ifndef SETTINGS_H
#define SETTINGS_H

#include "text.h"

typedef struct {
    // Domains whose mail is refused, in lower case.
    policy_list_string_t blocked;
    // Percent of the accepted messages of which a copy is kept.
    double keep_percent;
} settings_t;

// Reads the JSON text that carom gives. Each complaint is a sentence: key, value, remedy. True if there is none.
bool settings_read(text_t json, settings_t *settings, policy_list_string_t *complaints);

// Is mail from this domain (in lower case) refused?
bool settings_block(const settings_t *settings, text_t domain);

#endif
