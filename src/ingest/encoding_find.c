/* Which encoding a file's first bytes are in: marks, zero bytes, valid UTF-8, and for what is left
 * the reading that makes the likeliest characters. Transcoding is encoding.c. */
#include "ingest/encoding.h"

#include <string.h>

/* ---- marks and zero bytes ---------------------------------------------------------------------
 */

static bool find_mark(const unsigned char *bytes, size_t size, gb_encoding_guess *out)
{
    static const struct mark {
        const char *name;
        unsigned char bytes[4];
        size_t size;
    } marks[] = {
        {"utf-8", {0xEF, 0xBB, 0xBF}, 3},
        {"utf-32le", {0xFF, 0xFE, 0, 0}, 4}, /* before UTF-16LE, whose mark it begins with */
        {"utf-32be", {0, 0, 0xFE, 0xFF}, 4},
        {"utf-16le", {0xFF, 0xFE}, 2},
        {"utf-16be", {0xFE, 0xFF}, 2},
    };
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        if (size < marks[i].size || memcmp(bytes, marks[i].bytes, marks[i].size) != 0)
            continue;
        out->name = marks[i].name;
        out->mark_bytes = marks[i].size;
        return true;
    }
    return false;
}

/* Without a mark, the digits, delimiters and newlines of UTF-16 are pairs with a zero byte: always
 * the second (little endian) or always the first. NUL bytes of a damaged file lie anywhere. */
static const char *by_zero_bytes(const unsigned char *bytes, size_t size)
{
    size_t zeros[2] = {0, 0}, pairs = size / 2;
    for (size_t i = 0; i < 2 * pairs; i++)
        zeros[i & 1] += bytes[i] == 0;
    if (pairs < 2 || zeros[0] == zeros[1])
        return NULL;
    int more = zeros[1] > zeros[0];
    if (zeros[more] * 10 < pairs || zeros[!more] * 20 > zeros[more])
        return NULL;
    return more ? "utf-16le" : "utf-16be";
}

/* ---- how likely a character is ----------------------------------------------------------------
 * Costs are bits, about minus log2 of how often a character stands in a file of measurements. They
 * need not be exact: right and wrong readings differ by hundreds of bits in any real header. */

#define COST_INVALID 40
#define COST_UNUSUAL 20

/* Characters that headers, units and alarms of plants are written with; others of a script cost
 * more. */
static const char common_kanji[] = "温度圧力流量電流電圧回転速度数時刻間日付年月分秒設備番号名称機"
                                   "械装置運転停止異常警報正常開始終了工程"
                                   "製品品質検査結果良否判定重量長幅厚径高低上下限値平均最大小位置"
                                   "振動加速周波消費湿水油空気冷却加熱炉槽"
                                   "弁入口出設定指令制御状態保全交換点故障原因対応担当者作業区測計"
                                   "記録備考軸荷張応部材型式第一二三号場線"
                                   "生産計画実績合不良動作自手信号入切全体前後左右内外地東西南北大"
                                   "中新旧株会社事業所課係員本予報告";

static bool is_one_of(uint32_t code, const char *text)
{
    char wanted[4] = {(char)(0xE0 | code >> 12), (char)(0x80 | (code >> 6 & 0x3F)),
                      (char)(0x80 | (code & 0x3F)), 0};
    return strstr(text, wanted) != NULL;
}

static int cost_of_latin(uint32_t code, uint32_t before)
{
    static const unsigned char frequent[] = {0xB0, 0xB5, 0xB2, 0xB3, 0xE4, 0xF6, 0xFC, 0xDF,
                                             0xC4, 0xD6, 0xDC, 0xE9, 0xE8, 0xE0, 0xE7, 0xE5,
                                             0xF8, 0xF1, 0xF3, 0xE1, 0xED, 0xB1, 0xA0, 0xE3};
    int cost = code < 0xC0 ? 10 : 8;
    if (memchr(frequent, (int)code, sizeof frequent))
        cost = 5;
    /* such letters seldom come in pairs, and never in long runs as kanji read wrongly do */
    return before >= 0x80 ? cost + 5 : cost;
}

/* Half-width katakana are one byte each in CP932, and always words: a lone one is a wrong reading
 * of "°" or "µ". */
static int cost_of_half_width(uint32_t code, uint32_t before)
{
    bool in_run = before >= 0xFF61 && before <= 0xFF9F;
    if (!in_run)
        return 11;
    return code == 0xFF9E || code == 0xFF9F || code == 0xFF70 ? 4
                                                              : 6; /* voicing and length marks */
}

static int cost_of(uint32_t code, uint32_t before)
{
    if (code < 0x80)
        return code >= 0x20 || (code >= 9 && code <= 13) ? 4 : COST_UNUSUAL;
    if (code < 0xA0 || (code >= 0xE000 && code < 0xF900))
        return COST_UNUSUAL; /* control characters, private use */
    if (code < 0x100)
        return cost_of_latin(code, before);
    if (code >= 0x3041 && code <= 0x30FE)
        return 7; /* hiragana and katakana */
    if (code >= 0x4E00 && code <= 0x9FFF)
        return is_one_of(code, common_kanji) ? 8 : 13;
    if (code >= 0xFF61 && code <= 0xFF9F)
        return cost_of_half_width(code, before);
    if (code >= 0xFF01 && code <= 0xFF5E)
        return 9; /* full-width letters and digits */
    if (code >= 0x3000 && code <= 0x30FF)
        return 9;
    if ((code >= 0x2460 && code <= 0x24FF) || (code >= 0x3200 && code <= 0x33FF))
        return 10; /* circled digits, company signs, squared units */
    if (code == 0x20AC || (code >= 0x2013 && code <= 0x2026) || code == 0x2103)
        return 10; /* the euro sign, dashes and quotes, the degree Celsius */
    return 14;
}

/* One character of UTF-8 that a transcoder wrote. */
static uint32_t next_character(const unsigned char **at)
{
    const unsigned char *b = *at;
    int length = b[0] < 0x80 ? 1 : b[0] < 0xE0 ? 2 : b[0] < 0xF0 ? 3 : 4;
    *at += length;
    switch (length) {
    case 1:
        return b[0];
    case 2:
        return (b[0] & 0x1FU) << 6 | (b[1] & 0x3FU);
    case 3:
        return (b[0] & 0x0FU) << 12 | (b[1] & 0x3FU) << 6 | (b[2] & 0x3FU);
    default:
        return (b[0] & 0x07U) << 18 | (b[1] & 0x3FU) << 12 | (b[2] & 0x3FU) << 6 | (b[3] & 0x3FU);
    }
}

typedef struct reading {
    int64_t cost, invalid, beyond_ascii;
    uint32_t before;
} reading;

static void judge(const char *text, size_t size, reading *r)
{
    const unsigned char *at = (const unsigned char *)text, *end = at + size;
    while (at < end) {
        uint32_t code = next_character(&at);
        if (code != 0xFFFD)
            r->cost += cost_of(code, r->before);
        r->beyond_ascii += code >= 0x80;
        r->before = code;
    }
}

/* Reads the sample as if it were in an encoding. */
static gb_status
read_as(const char *name, const unsigned char *bytes, size_t size, bool whole, reading *out)
{
    gb_transcoder *transcoder = NULL;
    GB_TRY(gb_transcoder_create(name, &transcoder));
    reading r = {0};
    gb_status status = GB_OK;
    char text[4096];
    for (size_t at = 0, used = 0, written = 0; status == GB_OK && at < size; at += used) {
        status = gb_transcoder_feed(transcoder, bytes + at, size - at, &used, text, sizeof text,
                                    &written);
        if (status == GB_OK)
            judge(text, written, &r);
    }
    size_t written = 0;
    if (status == GB_OK && whole)
        status = gb_transcoder_finish(transcoder, text, sizeof text, &written);
    r.invalid = gb_transcoder_invalid(transcoder, NULL);
    r.cost += COST_INVALID * r.invalid;
    gb_transcoder_destroy(transcoder);
    if (status == GB_OK)
        *out = r;
    return status;
}

/* ---- the answer -------------------------------------------------------------------------------
 */

/* What is left when it is no Unicode. Plants write CP932 far more than EUC-JP, and CP1252 is tried
 * before latin1 because its extra characters are wanted where latin1 has controls. */
static gb_status
likeliest(const unsigned char *bytes, size_t size, bool whole, gb_encoding_guess *out)
{
    static const struct candidate {
        const char *name;
        int64_t prior;
    } candidates[] = {{"cp932", 0}, {"cp1252", 0}, {"euc-jp", 12}, {"latin1", 2}};
    reading best = {.cost = INT64_MAX}, second = best;
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        reading r;
        GB_TRY(read_as(candidates[i].name, bytes, size, whole, &r));
        r.cost += candidates[i].prior;
        if (r.cost < best.cost) {
            second = best;
            out->also = out->name;
            best = r;
            out->name = candidates[i].name;
        } else if (r.cost < second.cost) {
            second = r;
            out->also = candidates[i].name;
        }
    }
    out->invalid = best.invalid;
    out->characters_not = best.beyond_ascii;
    bool same = strcmp(out->name, "cp1252") == 0 && strcmp(out->also, "latin1") == 0;
    if (same || second.cost - best.cost > 12)
        out->also = NULL;
    return GB_OK;
}

/* ISO-2022-JP is ASCII but for escape sequences that switch to kanji. */
static bool has_kanji_escape(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i + 2 < size; i++)
        if (bytes[i] == 0x1B && bytes[i + 1] == '$' && (bytes[i + 2] == 'B' || bytes[i + 2] == '@'))
            return true;
    return false;
}

gb_status gb_encoding_find(const void *data, size_t size, bool whole, gb_encoding_guess *out)
{
    const unsigned char *bytes = data;
    gb_encoding_guess guess = {.name = "utf-8"};
    whole = whole && size <= GB_ENCODING_SAMPLE_BYTES;
    size = size <= GB_ENCODING_SAMPLE_BYTES ? size : GB_ENCODING_SAMPLE_BYTES;
    const char *wide = NULL;
    reading r = {0};
    bool marked = find_mark(bytes, size, &guess);
    if (!marked && (wide = by_zero_bytes(bytes, size)) != NULL)
        guess.name = wide;
    GB_TRY(read_as(guess.name, bytes, size, whole, &r));
    guess.invalid = r.invalid;
    guess.characters_not = r.beyond_ascii;
    guess.only_ascii = !marked && !wide && r.beyond_ascii == 0;
    if (guess.only_ascii && has_kanji_escape(bytes, size)) {
        guess.name = "iso-2022-jp";
        guess.only_ascii = false;
    }
    /* A few wrong bytes in a long file of good UTF-8 are damage; as many wrong as right are not
     * UTF-8. Nothing but wrong ones: another encoding. */
    bool good = r.invalid == 0 || r.beyond_ascii - r.invalid > 4 * r.invalid;
    if (!marked && !wide && !good)
        GB_TRY(likeliest(bytes, size, whole, &guess));
    *out = guess;
    return GB_OK;
}
