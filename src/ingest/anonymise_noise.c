/* Calibrated noise: how much, what it costs, and the numbers themselves. */
#include "ingest/anonymise.h"

#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* ---- the analytic Gaussian mechanism ----------------------------------------------------------
 * delta(epsilon, mu) = Phi(mu/2 - epsilon/mu) - exp(epsilon) Phi(-mu/2 - epsilon/mu) */

static double normal_cdf(double x)
{
    return 0.5 * erfc(-x / sqrt(2));
}

double gb_gaussian_delta(double epsilon, double mu)
{
    if (!(mu > 0))
        return 0;
    double tail = normal_cdf(-mu / 2 - epsilon / mu);
    double taken = tail > 0 ? exp(epsilon + log(tail)) : 0;
    return fmax(0, normal_cdf(mu / 2 - epsilon / mu) - taken);
}

double gb_gaussian_epsilon(double delta, double mu)
{
    if (!(mu > 0) || gb_gaussian_delta(0, mu) <= delta)
        return 0;
    double low = 0, high = 1;
    while (gb_gaussian_delta(high, mu) > delta && high < 1e12)
        high *= 2;
    for (int i = 0; i < 200 && high - low > 1e-12 * high; i++) {
        double middle = (low + high) / 2;
        if (gb_gaussian_delta(middle, mu) > delta)
            low = middle;
        else
            high = middle;
    }
    return high;
}

/* delta rises with mu, so the largest mu that keeps below delta gives the least noise. */
double gb_gaussian_sigma(double epsilon, double delta, double sensitivity)
{
    double low = 0, high = 1;
    while (gb_gaussian_delta(epsilon, high) < delta && high < 1e12) {
        low = high;
        high *= 2;
    }
    for (int i = 0; i < 200 && high - low > 1e-14 * high; i++) {
        double middle = (low + high) / 2;
        if (gb_gaussian_delta(epsilon, middle) > delta)
            high = middle;
        else
            low = middle;
    }
    return sensitivity / low;
}

/* ---- numbers ----------------------------------------------------------------------------------
 * A keyed hash of the place and the value seeds ChaCha20: nobody without the key can tell noise
 * from chance, and data that changed gets other noise, so that the difference of two releases does
 * not cancel it. */

void gb_noise_draw(const gb_secrets *secrets,
                   const gb_noise_place *place,
                   const double *values,
                   int64_t count,
                   double *out)
{
    crypto_generichash_state state;
    unsigned char seed[32];
    int64_t numbers[3] = {place->sample, place->time_ns, place->rule};
    (void)crypto_generichash_init(&state, secrets->noise.bytes, GB_KEY_BYTES, sizeof seed);
    (void)crypto_generichash_update(&state, place->policy, GB_HASH_BYTES);
    (void)crypto_generichash_update(&state, (const unsigned char *)numbers, sizeof numbers);
    (void)crypto_generichash_update(&state, (const unsigned char *)place->recording,
                                    strlen(place->recording) + 1);
    (void)crypto_generichash_update(&state, (const unsigned char *)place->stream,
                                    strlen(place->stream) + 1);
    (void)crypto_generichash_update(&state, (const unsigned char *)values,
                                    (size_t)count * sizeof *values);
    (void)crypto_generichash_final(&state, seed, sizeof seed);
    for (int64_t at = 0; at < count; at += 64) {
        uint64_t bits[64];
        unsigned char nonce[crypto_stream_chacha20_NONCEBYTES] = {0};
        int64_t part = count - at < 64 ? count - at : 64;
        memcpy(nonce, &at, sizeof at);
        size_t pairs = (size_t)(part + 1) / 2;
        crypto_stream_chacha20((unsigned char *)bits, pairs * 16, nonce, seed);
        for (size_t i = 0; i < pairs; i++) { /* Box-Muller, in doubles */
            double radius = sqrt(-2 * log(1 - (double)(bits[2 * i] >> 11) * 0x1p-53));
            double angle = 6.283185307179586 * ((double)(bits[2 * i + 1] >> 11) * 0x1p-53);
            out[at + (int64_t)(2 * i)] = radius * cos(angle);
            if ((int64_t)(2 * i) + 1 < part)
                out[at + (int64_t)(2 * i) + 1] = radius * sin(angle);
        }
    }
    sodium_memzero(seed, sizeof seed);
}

/* ---- the ledger: what each unit has given -----------------------------------------------------
 */

typedef struct release {
    const gb_rule *rule;
    char *stream;
    int64_t samples;
} release;

typedef struct unit {
    const char *name; /* of the rule */
    char *value;
    double mu_squared;
    release *releases; /* [count] */
    int count, room;
} unit;

typedef struct entry {
    int unit, release;
} entry;

struct gb_ledger {
    const gb_anonymise_policy *policy;
    unit *units; /* [count] */
    int count, room;
    int *index; /* [index_room] of units by hash, -1: free; a power of two */
    int index_room;
    entry *entries; /* [entry_count] */
    int entry_count, entry_room;
};

gb_status gb_ledger_create(const gb_anonymise_policy *policy, gb_ledger **out)
{
    gb_ledger *made = calloc(1, sizeof *made);
    if (!made)
        return gb_fail(GB_ERR_MEMORY, "no memory to account for noise");
    made->policy = policy;
    *out = made;
    return GB_OK;
}

void gb_ledger_destroy(gb_ledger *ledger)
{
    if (!ledger)
        return;
    for (int i = 0; i < ledger->count; i++) {
        for (int r = 0; r < ledger->units[i].count; r++)
            free(ledger->units[i].releases[r].stream);
        free(ledger->units[i].releases);
        free(ledger->units[i].value);
    }
    free(ledger->units);
    free(ledger->index);
    free(ledger->entries);
    free(ledger);
}

/* Makes room for one more of `size` bytes. */
static gb_status grow(void **items, int count, int *room, size_t size)
{
    if (count < *room)
        return GB_OK;
    int wanted = *room ? 2 * *room : 16;
    void *grown = realloc(*items, (size_t)wanted * size);
    if (!grown)
        return gb_fail(GB_ERR_MEMORY, "no memory to account for noise");
    *items = grown;
    *room = wanted;
    return GB_OK;
}

/* Where a unit stands in the index, or where it would. */
static int *index_place(const gb_ledger *ledger, const char *name, const char *value)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (const char *at = name; *at; at++)
        hash = (hash ^ (unsigned char)*at) * 1099511628211u;
    for (const char *at = value; *at; at++)
        hash = (hash ^ (unsigned char)*at) * 1099511628211u;
    for (uint64_t at = hash ^ hash >> 32;; at++) {
        int *place = &ledger->index[at & (uint64_t)(ledger->index_room - 1)];
        if (*place < 0 || (strcmp(ledger->units[*place].name, name) == 0 &&
                           strcmp(ledger->units[*place].value, value) == 0))
            return place;
    }
}

static gb_status grow_index(gb_ledger *ledger)
{
    if (2 * (ledger->count + 1) < ledger->index_room)
        return GB_OK;
    int room = ledger->index_room ? 2 * ledger->index_room : 64;
    int *grown = malloc((size_t)room * sizeof *grown);
    if (!grown)
        return gb_fail(GB_ERR_MEMORY, "no memory to account for noise");
    memset(grown, 0xff, (size_t)room * sizeof *grown);
    free(ledger->index);
    ledger->index = grown;
    ledger->index_room = room;
    for (int i = 0; i < ledger->count; i++)
        *index_place(ledger, ledger->units[i].name, ledger->units[i].value) = i;
    return GB_OK;
}

static gb_status find_unit(gb_ledger *ledger, const char *name, const char *value, int *out)
{
    GB_TRY(grow_index(ledger));
    int *place = index_place(ledger, name, value);
    if (*place < 0) {
        GB_TRY(grow((void **)&ledger->units, ledger->count, &ledger->room, sizeof(unit)));
        char *copy = strdup(value);
        if (!copy)
            return gb_fail(GB_ERR_MEMORY, "no memory to account for noise");
        ledger->units[ledger->count] = (unit){.name = name, .value = copy};
        *place = ledger->count++;
    }
    *out = *place;
    return GB_OK;
}

static gb_status check_budget(const gb_ledger *ledger, const unit *of, double mu_squared)
{
    const gb_policy_data *data = ledger->policy->data;
    for (uint32_t i = 0; i < data->budget_count; i++) {
        const gb_rule_budget *budget = &data->budget[i];
        if (strcmp(budget->unit, of->name) != 0)
            continue;
        double epsilon = gb_gaussian_epsilon(budget->delta, sqrt(mu_squared));
        if (epsilon > budget->epsilon * (1 + 1e-9))
            return gb_fail(GB_ERR_REFUSED,
                           "%s: one %s would have spent epsilon %.4g at delta %g, and the budget "
                           "is %.4g: drop a stream, or give its noise rule a smaller epsilon",
                           ledger->policy->origin, of->name, epsilon, budget->delta,
                           budget->epsilon);
    }
    return GB_OK;
}

static gb_status find_release(
    gb_ledger *ledger, unit *of, const gb_rule *rule, const char *stream, double mu, int *out)
{
    for (int i = 0; i < of->count; i++)
        if (of->releases[i].rule == rule && strcmp(of->releases[i].stream, stream) == 0) {
            *out = i;
            return GB_OK;
        }
    GB_TRY(check_budget(ledger, of, of->mu_squared + mu * mu));
    GB_TRY(grow((void **)&of->releases, of->count, &of->room, sizeof *of->releases));
    char *copy = strdup(stream);
    if (!copy)
        return gb_fail(GB_ERR_MEMORY, "no memory to account for noise");
    of->releases[of->count] = (release){.rule = rule, .stream = copy};
    of->mu_squared += mu * mu;
    *out = of->count++;
    return GB_OK;
}

gb_status gb_ledger_release(gb_ledger *ledger,
                            const gb_rule *rule,
                            const char *unit_value,
                            const char *stream,
                            double mu,
                            int *out_entry)
{
    entry made = {0, 0};
    GB_TRY(grow((void **)&ledger->entries, ledger->entry_count, &ledger->entry_room,
                sizeof *ledger->entries));
    GB_TRY(find_unit(ledger, rule->unit, unit_value, &made.unit));
    GB_TRY(find_release(ledger, &ledger->units[made.unit], rule, stream, mu, &made.release));
    ledger->entries[ledger->entry_count] = made;
    *out_entry = ledger->entry_count++;
    return GB_OK;
}

gb_status gb_ledger_count(gb_ledger *ledger, int number, int64_t count)
{
    const entry at = ledger->entries[number];
    const unit *of = &ledger->units[at.unit];
    release *r = &of->releases[at.release];
    int64_t most = *r->rule->samples_per_unit;
    if (count > most - r->samples)
        return gb_fail(GB_ERR_REFUSED,
                       "%s: stream %s: one %s gives more than the %lld samples that its noise is "
                       "calibrated for; raise samples_per_unit (which adds noise), or give less",
                       ledger->policy->origin, r->stream, of->name, (long long)most);
    r->samples += count;
    return GB_OK;
}

int gb_ledger_spent(const gb_ledger *ledger, gb_privacy_spent *out, int room)
{
    int kinds = 0;
    for (int i = 0; i < ledger->count; i++) {
        const unit *of = &ledger->units[i];
        int k = 0;
        while (k < kinds && k < room && strncmp(out[k].unit, of->name, sizeof out[k].unit - 1) != 0)
            k++;
        if (k >= room)
            continue;
        if (k == kinds) {
            out[kinds++] = (gb_privacy_spent){0};
            strncpy(out[k].unit, of->name, sizeof out[k].unit - 1);
        }
        out[k].units++;
        out[k].mu = fmax(out[k].mu, sqrt(of->mu_squared));
        if (of->count > out[k].releases)
            out[k].releases = of->count;
        for (int r = 0; r < of->count; r++)
            out[k].delta = fmax(out[k].delta, *of->releases[r].rule->delta);
    }
    for (int k = 0; k < kinds; k++)
        out[k].epsilon = gb_gaussian_epsilon(out[k].delta, out[k].mu);
    return kinds;
}
