/* Encodings: which one it is, and the way to UTF-8 in pieces of every size. */
#include "ingest/encoding.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>

static const char plant[] = "日時,温度[℃],圧力,ﾎﾟﾝﾌﾟ状態\n"
                            "2024/04/01 00:00:00,20.5,1.2,㈱髙橋①号機～正常\n"
                            "2024/04/01 00:00:01,20.6,1.2,ﾎﾟﾝﾌﾟ異常\n";
static const char german[] = "Zeit;Außentemperatur [°C];Drehzahl [1/min]\n"
                             "01.04.2024 00:00;20,5;1450\n01.04.2024 00:01;20,6;1451\n"
                             "Größe µ ± 5 % für Länge\n";

/* UTF-8 to another encoding, by the C library. */
static size_t encode(const char *to, const char *text, char *out, size_t room)
{
    iconv_t handle = iconv_open(to, "UTF-8");
    assert_true(handle != (iconv_t)-1);
    char *in = (char *)(uintptr_t)text, *at = out;
    size_t left = strlen(text), space = room;
    assert_true(iconv(handle, &in, &left, &at, &space) != (size_t)-1);
    iconv_close(handle);
    return room - space;
}

/* Feeds in pieces and takes in pieces. */
static char *decode(const char *name,
                    const char *bytes,
                    size_t size,
                    size_t piece,
                    size_t room,
                    int64_t *invalid,
                    int64_t *first)
{
    gb_transcoder *t = NULL;
    assert_int_equal(gb_transcoder_create(name, &t), GB_OK);
    char *out = calloc(1, 3 * size + 64), *at = out;
    for (size_t i = 0; i < size;) {
        size_t given = piece < size - i ? piece : size - i, used = 0, written = 0;
        assert_int_equal(gb_transcoder_feed(t, bytes + i, given, &used, at, room, &written), GB_OK);
        assert_true(used <= given && written <= room && used + written > 0);
        i += used;
        at += written;
    }
    size_t written = 0;
    char last[48];
    assert_int_equal(gb_transcoder_finish(t, last, sizeof last, &written), GB_OK);
    memcpy(at, last, written);
    at[written] = 0;
    *invalid = gb_transcoder_invalid(t, first);
    gb_transcoder_destroy(t);
    return out;
}

static const char *find(const char *bytes, size_t size)
{
    gb_encoding_guess guess;
    assert_int_equal(gb_encoding_find(bytes, size, true, &guess), GB_OK);
    return guess.name;
}

static void names_in_any_spelling(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"Shift_JIS", "cp932"},     {"sjis", "cp932"},        {"SHIFT-JIS", "cp932"},
        {"CP932", "cp932"},         {"windows-31j", "cp932"}, {"MS932", "cp932"},
        {"UTF8", "utf-8"},          {"utf-8-sig", "utf-8"},   {"UTF_16LE", "utf-16le"},
        {"EUC_JP", "euc-jp"},       {"ISO-8859-1", "latin1"}, {"Latin-1", "latin1"},
        {"windows-1252", "cp1252"}, {"GBK", "gb18030"},
    };
    const char *name = NULL;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        assert_int_equal(gb_encoding_parse(pairs[i][0], &name), GB_OK);
        assert_string_equal(name, pairs[i][1]);
    }
    name = "kept";
    assert_int_equal(gb_encoding_parse("cp933", &name), GB_ERR_NOT_FOUND);
    assert_non_null(strstr(gb_error_message(), "did you mean \"cp932\""));
    assert_int_equal(gb_encoding_parse("", &name), GB_ERR_NOT_FOUND);
    assert_int_equal(gb_encoding_parse(" ", &name), GB_ERR_NOT_FOUND);
    assert_int_equal(gb_encoding_parse("UTF-8//TRANSLIT", &name), GB_ERR_NOT_FOUND);
    assert_string_equal(name, "kept");
}

/* Whatever the pieces, the text is the same, and a table exists for every name. */
static void pieces_do_not_matter(void **state)
{
    (void)state;
    static const char *const ways[][3] = {
        {"cp932", "CP932", plant},        {"euc-jp", "EUC-JP-MS", plant},
        {"utf-16le", "UTF-16LE", plant},  {"utf-16be", "UTF-16BE", plant},
        {"utf-8", "UTF-8", plant},        {"cp1252", "CP1252", german},
        {"latin1", "ISO-8859-1", german}, {"utf-32le", "UTF-32LE", plant}};
    char bytes[2048];
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        size_t size = encode(ways[w][1], ways[w][2], bytes, sizeof bytes);
        for (size_t piece = 1; piece < 40; piece++) {
            for (size_t room = GB_TRANSCODER_ROOM; room < 64; room += 13) {
                int64_t invalid, first;
                char *text = decode(ways[w][0], bytes, size, piece, room, &invalid, &first);
                assert_string_equal(text, ways[w][2]);
                assert_int_equal(invalid, 0);
                assert_int_equal(first, -1);
                free(text);
            }
        }
    }
}

static void marks_are_dropped_at_the_start_only(void **state)
{
    (void)state;
    int64_t invalid, first;
    for (size_t piece = 1; piece < 5; piece++) {
        char *text = decode("utf-8", "\xEF\xBB\xBFx\xEF\xBB\xBFz", 8, piece, 32, &invalid, &first);
        assert_string_equal(text, "x\xEF\xBB\xBFz");
        free(text);
        text = decode("utf-16",
                      "\xFF\xFE"
                      "a\0z\0",
                      6, piece, 32, &invalid, &first);
        assert_string_equal(text, "az");
        free(text);
    }
}

static void wrong_bytes_are_counted_and_placed(void **state)
{
    (void)state;
    int64_t invalid, first;
    for (size_t piece = 1; piece < 9; piece++) {
        /* a lead byte must not swallow the delimiter behind it */
        char *text = decode("cp932", "ab\x83,\xFF;\x82\xA0", 8, piece, 32, &invalid, &first);
        assert_string_equal(text, "ab\xEF\xBF\xBD,\xEF\xBF\xBD;あ");
        assert_int_equal(invalid, 2);
        assert_int_equal(first, 2);
        free(text);
        text = decode("utf-8", "x\xC3(\xE3\x81", 5, piece, 32, &invalid, &first);
        assert_string_equal(text, "x\xEF\xBF\xBD(\xEF\xBF\xBD");
        assert_int_equal(invalid, 2);
        assert_int_equal(first, 1);
        free(text);
        text = decode("utf-16le",
                      "a\0\x00\xDC"
                      "b\0c",
                      7, piece, 32, &invalid, &first);
        assert_string_equal(text, "a\xEF\xBF\xBD"
                                  "b\xEF\xBF\xBD");
        assert_int_equal(invalid, 2);
        assert_int_equal(first, 2);
        free(text);
    }
    gb_transcoder *t = NULL;
    assert_int_equal(gb_transcoder_create("cp932", &t), GB_OK);
    char small[4];
    size_t used, written;
    assert_int_equal(gb_transcoder_feed(t, "a", 1, &used, small, 4, &written), GB_ERR_ARGUMENT);
    gb_transcoder_destroy(t);
}

static void finds_unicode(void **state)
{
    (void)state;
    char bytes[2048];
    gb_encoding_guess guess;
    assert_int_equal(gb_encoding_find("a,b\n1,2\n", 8, true, &guess), GB_OK);
    assert_string_equal(guess.name, "utf-8");
    assert_true(guess.only_ascii);
    assert_string_equal(find(plant, strlen(plant)), "utf-8");
    assert_string_equal(find(german, strlen(german)), "utf-8");
    assert_string_equal(find("", 0), "utf-8");
    assert_int_equal(gb_encoding_find("\xEF\xBB\xBFx", 4, true, &guess), GB_OK);
    assert_int_equal(guess.mark_bytes, 3);
    for (int big = 0; big < 2; big++) {
        const char *name = big ? "utf-16be" : "utf-16le";
        memcpy(bytes, big ? "\xFE\xFF" : "\xFF\xFE", 2);
        size_t size = encode(big ? "UTF-16BE" : "UTF-16LE", plant, bytes + 2, sizeof bytes - 2);
        assert_string_equal(find(bytes, size + 2), name);
        assert_string_equal(find(bytes + 2, size), name); /* without the mark */
    }
    /* cut inside a character: wrong only when that is all there is */
    assert_int_equal(gb_encoding_find("温度温", 8, false, &guess), GB_OK);
    assert_string_equal(guess.name, "utf-8");
    assert_int_equal(guess.invalid, 0);
    /* a few NUL bytes and a damaged character do not make it anything else */
    assert_string_equal(find("1,2\n3,\0\0\0\0\0\n4,5\n6,7\n", 20), "utf-8");
}

static void finds_japanese(void **state)
{
    (void)state;
    static const char *const texts[] = {
        plant,
        "時刻,温度\n1,2\n",
        "ﾎﾟﾝﾌﾟ,ｵﾝﾄﾞ\n1,2\n",
        "No.,測定日時,流量(L/min),圧力[MPa],備考\n1,2024/1/1,3,4,\n",
        "①,②\n1,2\n",
        "ロット番号,検査結果,担当者\nA1,良,髙木\n",
    };
    char bytes[2048];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t size = encode("CP932", texts[i], bytes, sizeof bytes);
        assert_string_equal(find(bytes, size), "cp932");
        size = encode("EUC-JP-MS", texts[i], bytes, sizeof bytes);
        if (i != 2 && i != 4)
            assert_string_equal(find(bytes, size), "euc-jp");
    }
    size_t size = encode("ISO-2022-JP", "温度,圧力\n1,2\n", bytes, sizeof bytes);
    assert_string_equal(find(bytes, size), "iso-2022-jp");
}

static void finds_western(void **state)
{
    (void)state;
    static const char *const texts[] = {
        german,
        "time,temp [°C]\n1,2\n",
        "Temps;Débit (m³/h);Pression\n1;2;3\n",
        "Überdruck;Strömung\n1;2\n",
        "Temperatura do óleo [°C],Vazão\n1,2\n",
        "Zählerstand;Füllhöhe;Kühlmittel\n1;2;3\n",
        "ts;vitesse mesurée;état\n1;2;arrêté\n",
        "t,5 µm ± 2 %\n1,2\n",
        "price [€],“quoted”\n1,2\n",
    };
    char bytes[512];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t size = encode("CP1252", texts[i], bytes, sizeof bytes);
        assert_string_equal(find(bytes, size), "cp1252");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_in_any_spelling),
        cmocka_unit_test(pieces_do_not_matter),
        cmocka_unit_test(marks_are_dropped_at_the_start_only),
        cmocka_unit_test(wrong_bytes_are_counted_and_placed),
        cmocka_unit_test(finds_unicode),
        cmocka_unit_test(finds_japanese),
        cmocka_unit_test(finds_western),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
