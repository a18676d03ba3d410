/* One line of JSON: checked from its first to its last byte, and the values at wanted paths noted
 * on the way. Nothing is built: a line is read once, and costs no memory. */
#include "ingest/json_cells.h"

#include <stdio.h>
#include <string.h>

/* ---- paths ------------------------------------------------------------------------------------
 */

/* What is wanted below one value: keys of an object, or items of an array. */
typedef struct node {
    const char *key; /* NULL: an item */
    size_t key_size;
    uint64_t index;
    int64_t column; /* the wanted value is here; -1: only below */
    struct node *children, *next;
} node;

struct gb_json_paths {
    node root;
    int64_t count;
};

static gb_status bad_path(const char *path, const char *problem)
{
    return gb_fail(GB_ERR_SCHEMA,
                   "the path \"%.200s\": %s; expected one like a.b[2], [\"a.b\"] for a key with a "
                   "dot, or \".\" for the whole line",
                   path, problem);
}

static gb_status
step_into(node *from, const char *key, size_t size, uint64_t index, gb_arena *arena, node **out)
{
    node **link = &from->children;
    for (; *link; link = &(*link)->next) {
        bool same =
            key ? (*link)->key && (*link)->key_size == size && memcmp((*link)->key, key, size) == 0
                : !(*link)->key && (*link)->index == index;
        if (same) {
            *out = *link;
            return GB_OK;
        }
    }
    node *made = gb_arena_alloc(arena, sizeof *made);
    char *copy = gb_arena_alloc(arena, size + 1);
    if (!made || !copy)
        return GB_ERR_MEMORY;
    if (key)
        memcpy(copy, key, size);
    *made = (node){.key = key ? copy : NULL, .key_size = size, .index = index, .column = -1};
    *link = made;
    *out = made;
    return GB_OK;
}

/* Reads one step at *at: ".key", "key" at the start, "[2]" or ["key"]. */
static gb_status
next_step(const char *path, const char **at, node *from, gb_arena *arena, node **out)
{
    const char *p = *at;
    if (p[0] == '[' && p[1] == '"') {
        const char *end = strstr(p + 2, "\"]");
        if (!end)
            return bad_path(path, "a quote is not closed");
        *at = end + 2;
        return step_into(from, p + 2, (size_t)(end - p - 2), 0, arena, out);
    }
    if (p[0] == '[') {
        uint64_t index = 0;
        const char *digit = p + 1;
        for (; *digit >= '0' && *digit <= '9' && digit - p < 12; digit++)
            index = index * 10 + (uint64_t)(*digit - '0');
        if (digit == p + 1 || *digit != ']')
            return bad_path(path, "a number and ] should stand behind [");
        *at = digit + 1;
        return step_into(from, NULL, 0, index, arena, out);
    }
    p += *p == '.' && p > path;
    size_t size = strcspn(p, ".[");
    if (size == 0)
        return bad_path(path, "a key is empty");
    *at = p + size;
    return step_into(from, p, size, 0, arena, out);
}

gb_status
gb_json_paths_create(const char *const *paths, int64_t count, gb_arena *arena, gb_json_paths **out)
{
    gb_json_paths *made = gb_arena_alloc(arena, sizeof *made);
    if (!made)
        return GB_ERR_MEMORY;
    made->root.column = -1;
    made->count = count;
    for (int64_t i = 0; i < count; i++) {
        node *at = &made->root;
        const char *rest = strcmp(paths[i], ".") == 0 ? "" : paths[i];
        if (paths[i][0] == 0)
            return bad_path(paths[i], "is empty");
        for (int depth = 0; *rest; depth++) {
            if (depth == GB_JSON_DEPTH_MAX)
                return bad_path(paths[i], "is nested too deep");
            GB_TRY(next_step(paths[i], &rest, at, arena, &at));
        }
        if (at->column >= 0)
            return bad_path(paths[i], "is wanted twice");
        at->column = i;
    }
    *out = made;
    return GB_OK;
}

int64_t gb_json_paths_count(const gb_json_paths *paths)
{
    return paths->count;
}

/* ---- tokens -----------------------------------------------------------------------------------
 */

typedef struct scan {
    const char *text;
    uint32_t at, end;
    int depth;
    gb_span *cells; /* NULL: only checked, or visited */
    /* for walks */
    gb_json_visit visit;
    void *context;
    char path[512];
    size_t path_size;
    bool path_too_long;
} scan;

static void skip_blanks(scan *s)
{
    while (s->at < s->end) {
        char c = s->text[s->at];
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
            break;
        s->at++;
    }
}

static bool take(scan *s, char expected)
{
    if (s->at == s->end || s->text[s->at] != expected)
        return false;
    s->at++;
    return true;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* From behind the opening quote to behind the closing one. */
static bool scan_string(scan *s, bool *escaped)
{
    *escaped = false;
    while (s->at < s->end) {
        unsigned char c = (unsigned char)s->text[s->at++];
        if (c == '"')
            return true;
        if (c < 0x20)
            return false;
        if (c != '\\')
            continue;
        *escaped = true;
        if (s->at == s->end)
            return false;
        char e = s->text[s->at++];
        if (e == 'u') {
            for (int i = 0; i < 4; i++)
                if (s->at == s->end || !is_hex(s->text[s->at++]))
                    return false;
        } else if (!e || !strchr("\"\\/bfnrt", e)) {
            return false;
        }
    }
    return false;
}

static bool scan_digits(scan *s)
{
    uint32_t begun = s->at;
    while (s->at < s->end && s->text[s->at] >= '0' && s->text[s->at] <= '9')
        s->at++;
    return s->at > begun;
}

static bool scan_number(scan *s)
{
    (void)take(s, '-');
    if (!take(s, '0') && !scan_digits(s))
        return false;
    if (take(s, '.') && !scan_digits(s))
        return false;
    if (take(s, 'e') || take(s, 'E')) {
        if (!take(s, '+'))
            (void)take(s, '-');
        return scan_digits(s);
    }
    return true;
}

static bool scan_word(scan *s, const char *word)
{
    size_t size = strlen(word);
    if (s->end - s->at < size || memcmp(s->text + s->at, word, size) != 0)
        return false;
    s->at += (uint32_t)size;
    return true;
}

/* ---- values -----------------------------------------------------------------------------------
 */

static bool scan_value(scan *s, const node *wanted);

/* A key or an item is looked for from where the last one was found: lines of one log have their
 * keys in one order. */
static const node *find_child(const node *parent, const node **hint, const node *like)
{
    if (!parent)
        return NULL;
    const node *from = *hint ? *hint : parent->children;
    const node *child = from;
    for (int round = 0; round < 2; round++) {
        for (; child && !(round == 1 && child == from); child = child->next) {
            bool same = like->key ? child->key && child->key_size == like->key_size &&
                                        memcmp(child->key, like->key, like->key_size) == 0
                                  : !child->key && child->index == like->index;
            if (same) {
                *hint = child->next;
                return child;
            }
        }
        child = parent->children;
    }
    return NULL;
}

/* Adds a step to the path of a walk; returns the path's length before. */
static size_t push_path(scan *s, const char *key, size_t key_size, uint64_t index)
{
    size_t before = s->path_size;
    if (!s->visit)
        return before;
    char *to = s->path + before;
    size_t room = sizeof s->path - before;
    bool plain = key && key_size > 0 && key_size < room && !memchr(key, '.', key_size) &&
                 !memchr(key, '[', key_size);
    int put = !key ? snprintf(to, room, "[%llu]", (unsigned long long)index)
              : plain
                  ? snprintf(to, room, "%s%.*s", before > 0 ? "." : "", (int)key_size, key)
                  : snprintf(to, room, "[\"%.*s\"]", (int)(key_size < 512 ? key_size : 512), key);
    s->path_too_long = put < 0 || (size_t)put >= room || s->path_too_long;
    if (!s->path_too_long)
        s->path_size = before + (size_t)put;
    return before;
}

static void pop_path(scan *s, size_t before, bool was_too_long)
{
    s->path_size = before;
    s->path_too_long = was_too_long;
    s->path[before] = 0;
}

static bool scan_member(scan *s, const node *wanted, const node **hint)
{
    bool escaped;
    skip_blanks(s);
    if (!take(s, '"'))
        return false;
    uint32_t key = s->at;
    if (!scan_string(s, &escaped))
        return false;
    node like = {.key = s->text + key, .key_size = s->at - 1 - key};
    skip_blanks(s);
    if (!take(s, ':'))
        return false;
    bool was_too_long = s->path_too_long;
    size_t before = push_path(s, like.key, like.key_size, 0);
    bool fine = scan_value(s, find_child(wanted, hint, &like));
    pop_path(s, before, was_too_long);
    return fine;
}

static bool scan_item(scan *s, const node *wanted, const node **hint, uint64_t index)
{
    node like = {.index = index};
    bool was_too_long = s->path_too_long;
    size_t before = push_path(s, NULL, 0, index);
    bool fine = scan_value(s, find_child(wanted, hint, &like));
    pop_path(s, before, was_too_long);
    return fine;
}

/* An object or an array, behind its opening bracket. *empty: nothing in it. */
static bool scan_inside(scan *s, char close, const node *wanted, bool *empty)
{
    const node *hint = NULL;
    skip_blanks(s);
    *empty = take(s, close);
    if (*empty)
        return true;
    for (uint64_t index = 0;; index++) {
        bool fine =
            close == '}' ? scan_member(s, wanted, &hint) : scan_item(s, wanted, &hint, index);
        if (!fine)
            return false;
        skip_blanks(s);
        if (take(s, close))
            return true;
        if (!take(s, ','))
            return false;
    }
}

typedef struct token {
    gb_json_type type;
    gb_span cell;
    bool holds_others;
} token;

static bool scan_token(scan *s, const node *wanted, token *t)
{
    bool empty = false;
    uint32_t begin = s->at;
    char c = s->at < s->end ? s->text[s->at] : 0;
    if (c == '{' || c == '[') {
        if (s->depth++ == GB_JSON_DEPTH_MAX)
            return false;
        s->at++;
        if (!scan_inside(s, c == '{' ? '}' : ']', wanted, &empty))
            return false;
        s->depth--;
        *t = (token){GB_JSON_EMPTY, {begin, s->at - begin}, !empty};
        return true;
    }
    if (c == '"') {
        s->at++;
        bool escaped;
        t->type = GB_JSON_STRING;
        if (!scan_string(s, &escaped))
            return false;
        t->cell = (gb_span){begin + 1, (s->at - begin - 2) | (escaped ? GB_SPAN_ESCAPED : 0)};
        return true;
    }
    bool is_null = c == 'n', is_bool = c == 't' || c == 'f';
    t->type = is_null ? GB_JSON_NULL : is_bool ? GB_JSON_BOOL : GB_JSON_NUMBER;
    bool fine = is_null   ? scan_word(s, "null")
                : is_bool ? scan_word(s, c == 't' ? "true" : "false")
                          : scan_number(s);
    t->cell = (gb_span){begin, is_null ? 0 : s->at - begin};
    return fine;
}

static bool scan_value(scan *s, const node *wanted)
{
    token t = {0};
    skip_blanks(s);
    if (!scan_token(s, wanted, &t))
        return false;
    if (s->visit && !t.holds_others && !s->path_too_long)
        return s->visit(s->context, s->path_size > 0 ? s->path : ".", t.type, s->text + t.cell.at,
                        GB_SPAN_SIZE(t.cell));
    if (!wanted || wanted->column < 0 || !s->cells)
        return true;
    gb_span *cell = &s->cells[wanted->column];
    if (cell->at != UINT32_MAX)
        return false; /* twice: which one is meant? */
    *cell = t.cell;
    return true;
}

static bool scan_line(scan *s, const node *wanted)
{
    bool fine = scan_value(s, wanted);
    skip_blanks(s);
    return fine && s->at == s->end;
}

bool gb_json_cut(const gb_json_paths *paths,
                 const char *text,
                 uint32_t begin,
                 uint32_t end,
                 gb_span *cells,
                 uint32_t *out_at)
{
    scan s = {.text = text, .at = begin, .end = end, .cells = cells};
    for (int64_t i = 0; i < paths->count; i++)
        cells[i] = (gb_span){UINT32_MAX, 0};
    bool fine = scan_line(&s, &paths->root);
    for (int64_t i = 0; i < paths->count; i++)
        if (cells[i].at == UINT32_MAX)
            cells[i].at = begin;
    *out_at = s.at;
    return fine;
}

bool gb_json_walk(
    const char *text, uint32_t begin, uint32_t end, gb_json_visit visit, void *context)
{
    scan s = {.text = text, .at = begin, .end = end, .visit = visit, .context = context};
    return scan_line(&s, NULL);
}

/* ---- escapes ----------------------------------------------------------------------------------
 */

static uint32_t read_hex(const char *at)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        uint32_t digit = c <= '9' ? (uint32_t)(c - '0') : (uint32_t)((c | 0x20) - 'a' + 10);
        value = value << 4 | digit;
    }
    return value;
}

static size_t write_utf8(uint32_t code, char *to)
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    size_t size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = size - 1; i > 0; i--, code >>= 6)
        to[i] = (char)(0x80 | (code & 0x3F));
    to[0] = (char)(lead[size] | code);
    return size;
}

/* \uXXXX, or two of them for one character; *at is behind the 'u'. */
static uint32_t read_escape(const char **at, const char *end)
{
    uint32_t code = read_hex(*at);
    *at += 4;
    bool low_follows = end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u';
    if (code >= 0xD800 && code < 0xDC00 && low_follows) {
        uint32_t low = read_hex(*at + 2);
        if (low >= 0xDC00 && low < 0xE000) {
            *at += 6;
            return 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        }
    }
    return code == 0 || (code >= 0xD800 && code < 0xE000) ? 0xFFFD : code;
}

size_t gb_json_unescape(const char *text, size_t size, char *to)
{
    static const char from_letters[] = "\"\\/bfnrt", to_bytes[] = "\"\\/\b\f\n\r\t";
    const char *end = text + size;
    size_t used = 0;
    for (const char *at = text; at < end;) {
        if (*at != '\\' || end - at < 2) {
            to[used++] = *at++;
            continue;
        }
        char letter = at[1];
        at += 2;
        if (letter == 'u' && end - at >= 4) {
            used += write_utf8(read_escape(&at, end), to + used);
            continue;
        }
        const char *found = letter ? strchr(from_letters, letter) : NULL;
        to[used++] = found ? to_bytes[found - from_letters] : letter;
    }
    return used;
}
