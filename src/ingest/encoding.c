/* Names of encodings, and the way from any of them to UTF-8, piece by piece, through the C
 * library's iconv. Which encoding a file is in is found in encoding_find.c. */
#include "ingest/encoding.h"

#include "base/words.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>

/* ---- names ------------------------------------------------------------------------------------
 */

typedef struct encoding {
    const char *name, *iconv_name;
    const char *spellings; /* others, each between blanks, in lower case without "-_ ." */
    uint8_t unit;          /* bytes that are skipped when they are wrong */
    bool ascii;            /* bytes below 0x80 at a character's start are ASCII */
} encoding;

static const encoding encodings[] = {
    {"utf-8", "UTF-8", " utf8sig utf8bom cp65001 ", 1, true},
    {"ascii", "ASCII", " usascii ansix34 iso646us ", 1, true},
    {"utf-16le", "UTF-16LE", " ucs2le unicode ucs2 ", 2, false},
    {"utf-16be", "UTF-16BE", " ucs2be ", 2, false},
    {"utf-32le", "UTF-32LE", " ucs4le ", 4, false},
    {"utf-32be", "UTF-32BE", " ucs4be ", 4, false},
    /* Strict Shift_JIS lacks what Windows writes: (company) signs, circled digits, variants. */
    {"cp932", "CP932",
     " shiftjis sjis windows31j windows932 ms932 mskanji xsjis sjiswin ibm932 ibm943 cp943 ", 1,
     true},
    {"euc-jp", "EUC-JP-MS", " ujis eucjpms eucjpwin cp51932 eucjp ", 1, true},
    {"iso-2022-jp", "ISO-2022-JP-2", " jis csiso2022jp cp50220 cp50221 iso2022jp ", 1, false},
    {"cp1252", "CP1252", " windows1252 ansi winlatin1 ", 1, true},
    {"latin1", "ISO-8859-1", " iso88591 l1 ibm819 cp819 ", 1, true},
    {"latin2", "ISO-8859-2", " iso88592 l2 ", 1, true},
    {"latin9", "ISO-8859-15", " iso885915 l9 ", 1, true},
    {"cp1250", "CP1250", " windows1250 ", 1, true},
    {"cp1251", "CP1251", " windows1251 ", 1, true},
    {"cp1253", "CP1253", " windows1253 ", 1, true},
    {"cp1254", "CP1254", " windows1254 ", 1, true},
    {"cp437", "CP437", " ibm437 dos ", 1, true},
    {"cp850", "CP850", " ibm850 ", 1, true},
    {"koi8-r", "KOI8-R", " koi8r ", 1, true},
    {"gb18030", "GB18030", " gbk gb2312 cp936 euccn windows936 ", 1, true},
    {"big5", "BIG5", " cp950 windows950 big5tw ", 1, true},
    {"euc-kr", "CP949", " cp949 uhc windows949 ksc5601 euckr ", 1, true},
};
#define ENCODING_COUNT (sizeof encodings / sizeof *encodings)

/* Lower case, without what people put between: "Shift_JIS" to "shiftjis". */
static void squeeze(const char *written, char out[32])
{
    size_t used = 0;
    for (; *written && used < 30; written++) {
        char c = *written;
        if (c != '-' && c != '_' && c != ' ' && c != '.')
            out[used++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    out[used] = 0;
}

static const encoding *find_encoding(const char *written)
{
    char plain[32], own[32], inside[34] = " ";
    squeeze(written, plain);
    if (plain[0] == 0)
        return NULL;
    strcat(strcat(inside, plain), " ");
    for (size_t i = 0; i < ENCODING_COUNT; i++) {
        squeeze(encodings[i].name, own);
        if (strcmp(own, plain) == 0 || strstr(encodings[i].spellings, inside))
            return &encodings[i];
    }
    return strcmp(plain, "utf16") == 0 ? find_encoding("utf-16le") : NULL;
}

gb_status gb_encoding_parse(const char *written, const char **out_name)
{
    const encoding *found = find_encoding(written);
    if (found) {
        *out_name = found->name;
        return GB_OK;
    }
    gb_words words = {.written = written};
    for (size_t i = 0; i < ENCODING_COUNT; i++)
        gb_words_add(&words, encodings[i].name);
    return gb_fail(GB_ERR_NOT_FOUND, "no encoding is called \"%.64s\": %sexpected one of %s",
                   written, gb_words_suggest(&words), words.list);
}

/* ---- transcoding ------------------------------------------------------------------------------
 */

#define CARRY_MAX 16 /* longer than any character or escape sequence */

struct gb_transcoder {
    const encoding *from;
    iconv_t handle;
    unsigned char carry[CARRY_MAX]; /* the beginning of a character that the last piece cut */
    size_t carry_size;
    int64_t offset; /* in the file, of the first byte not yet turned into text */
    int64_t invalid, first_invalid;
    bool started; /* a byte order mark can come no more */
};

gb_status gb_transcoder_create(const char *name, gb_transcoder **out)
{
    const char *known;
    GB_TRY(gb_encoding_parse(name, &known));
    gb_transcoder *made = calloc(1, sizeof *made);
    if (!made)
        return gb_fail(GB_ERR_MEMORY, "no memory to read %s", known);
    made->from = find_encoding(known);
    made->first_invalid = -1;
    made->handle = iconv_open("UTF-8", made->from->iconv_name);
    if (made->handle == (iconv_t)-1) {
        free(made);
        return gb_fail(GB_ERR_UNSUPPORTED,
                       "this machine's C library cannot read %s (no iconv table for %s); install "
                       "its character sets or convert the file to UTF-8 first",
                       known, find_encoding(known)->iconv_name);
    }
    *out = made;
    return GB_OK;
}

void gb_transcoder_destroy(gb_transcoder *transcoder)
{
    if (!transcoder)
        return;
    iconv_close(transcoder->handle);
    free(transcoder);
}

void gb_transcoder_reset(gb_transcoder *transcoder, int64_t offset)
{
    iconv(transcoder->handle, NULL, NULL, NULL, NULL);
    transcoder->carry_size = 0;
    transcoder->offset = offset;
    transcoder->invalid = 0;
    transcoder->first_invalid = -1;
    transcoder->started = offset > 0;
}

int64_t gb_transcoder_invalid(const gb_transcoder *transcoder, int64_t *out_first)
{
    if (out_first)
        *out_first = transcoder->first_invalid;
    return transcoder->invalid;
}

/* What is still to be read and to be written. */
typedef struct passage {
    const unsigned char *in;
    size_t in_left;
    char *out;
    size_t out_left;
} passage;

static void put_invalid(gb_transcoder *t, passage *p, size_t bytes)
{
    memcpy(p->out, "\xEF\xBF\xBD", 3);
    p->out += 3;
    p->out_left -= 3;
    if (t->first_invalid < 0)
        t->first_invalid = t->offset;
    t->invalid++;
    t->started = true;
    p->in += bytes;
    p->in_left -= bytes;
    t->offset += (int64_t)bytes;
}

/* Most of most files is ASCII: copied eight bytes at a time. */
static void copy_ascii(gb_transcoder *t, passage *p)
{
    size_t least = p->in_left < p->out_left ? p->in_left : p->out_left, at = 0;
    for (; at + 8 <= least; at += 8) {
        uint64_t eight;
        memcpy(&eight, p->in + at, 8);
        if (eight & 0x8080808080808080ULL)
            break;
        memcpy(p->out + at, &eight, 8);
    }
    for (; at < least && p->in[at] < 0x80; at++)
        p->out[at] = (char)p->in[at];
    p->in += at;
    p->in_left -= at;
    p->out += at;
    p->out_left -= at;
    t->offset += (int64_t)at;
    t->started = t->started || at > 0;
}

/* The end of the run of bytes from 0x80 up, with what may be the second byte of the last: so iconv
 * sees whole characters and is not asked to read the ASCII behind them. */
static size_t foreign_run(const passage *p)
{
    size_t at = 0, calm = 0;
    while (at < p->in_left && calm < 16) {
        calm = p->in[at] < 0x80 ? calm + 1 : 0;
        at++;
    }
    return at;
}

/* The mark is U+FEFF in UTF-8 by now; elsewhere than at the start it is a character as any other.
 */
static void drop_mark(gb_transcoder *t, passage *p, char *begun)
{
    size_t written = (size_t)(p->out - begun);
    if (t->started || written == 0)
        return;
    t->started = true;
    if (written >= 3 && memcmp(begun, "\xEF\xBB\xBF", 3) == 0) {
        memmove(begun, begun + 3, written - 3);
        p->out -= 3;
        p->out_left += 3;
    }
}

typedef enum step {
    STEP_ON,
    STEP_ROOM, /* the room is full */
    STEP_CUT   /* what is left is the beginning of a character */
} step;

/* One call of iconv on the first `size` bytes, and what it stopped at. */
static step convert(gb_transcoder *t, passage *p, size_t size)
{
    char *in = (char *)(uintptr_t)p->in, *begun = p->out;
    size_t left = size;
    errno = 0;
    size_t result = iconv(t->handle, &in, &left, &p->out, &p->out_left);
    int why = result == (size_t)-1 ? errno : 0;
    size_t used = size - left;
    p->in += used;
    p->in_left -= used;
    t->offset += (int64_t)used;
    drop_mark(t, p, begun);
    if (why == E2BIG)
        return STEP_ROOM;
    if (why == EINVAL && left == p->in_left)
        return STEP_CUT;
    if (why == EINVAL) /* cut by foreign_run in the middle: not at the end, so it goes on */
        return used > 0 ? STEP_ON : STEP_CUT;
    if (why != 0) {
        if (p->out_left < 3)
            return STEP_ROOM;
        put_invalid(t, p, left < t->from->unit ? left : t->from->unit);
    }
    return STEP_ON;
}

static step run(gb_transcoder *t, passage *p)
{
    while (p->in_left > 0) {
        if (t->from->ascii)
            copy_ascii(t, p);
        if (p->in_left == 0)
            break;
        if (p->out_left < 4)
            return STEP_ROOM;
        step next = convert(t, p, t->from->ascii ? foreign_run(p) : p->in_left);
        if (next != STEP_ON)
            return next;
    }
    return STEP_ON;
}

/* Fills the carried beginning up byte by byte until it is a character or wrong. */
static step finish_carry(gb_transcoder *t, passage *p)
{
    while (t->carry_size > 0 && t->carry_size < CARRY_MAX && p->in_left > 0) {
        if (p->out_left < GB_TRANSCODER_ROOM)
            return STEP_ROOM;
        t->carry[t->carry_size++] = *p->in++;
        p->in_left--;
        passage inner = {t->carry, t->carry_size, p->out, p->out_left};
        step next = run(t, &inner);
        p->out = inner.out;
        p->out_left = inner.out_left;
        if (next == STEP_CUT && inner.in_left == CARRY_MAX)
            put_invalid(t, &inner, 1);
        memmove(t->carry, inner.in, inner.in_left);
        t->carry_size = inner.in_left;
    }
    return STEP_ON;
}

gb_status gb_transcoder_feed(gb_transcoder *t,
                             const void *in,
                             size_t in_size,
                             size_t *out_used,
                             char *out,
                             size_t out_room,
                             size_t *out_written)
{
    if (out_room < GB_TRANSCODER_ROOM)
        return gb_fail(GB_ERR_ARGUMENT, "a transcoder needs room for %d bytes, not %zu",
                       GB_TRANSCODER_ROOM, out_room);
    passage p = {in, in_size, out, out_room};
    step next = finish_carry(t, &p);
    if (next == STEP_ON)
        next = run(t, &p);
    if (next == STEP_CUT && p.in_left < CARRY_MAX) {
        memcpy(t->carry, p.in, p.in_left);
        t->carry_size = p.in_left;
        p.in_left = 0;
    }
    *out_used = in_size - p.in_left;
    *out_written = out_room - p.out_left;
    return GB_OK;
}

gb_status gb_transcoder_finish(gb_transcoder *t, char *out, size_t out_room, size_t *out_written)
{
    if (out_room < 3 * CARRY_MAX)
        return gb_fail(GB_ERR_ARGUMENT, "a transcoder needs room for %d bytes at the end, not %zu",
                       3 * CARRY_MAX, out_room);
    passage p = {t->carry, t->carry_size, out, out_room};
    if (t->carry_size > 0)
        put_invalid(t, &p, t->carry_size);
    t->carry_size = 0;
    *out_written = out_room - p.out_left;
    return GB_OK;
}
