/* control/view_page.c: puts the page together: its text, style and script (src/control/asset) and
 * the data, in one HTML file that loads nothing from anywhere. What is on it is in the asset. */
#include "control/view.h"

#include <stdlib.h>
#include <string.h>

#define ASSETS(X) X(view_html) X(view_css) X(view_data_js) X(view_plot_js) X(view_js)
#define ASSET_DECLARE(name)                                                                        \
    extern const unsigned char gb_control_asset_##name[];                                          \
    extern const size_t gb_control_asset_##name##_size;
ASSETS(ASSET_DECLARE)
#define PUT_ASSET(to, name) fwrite(gb_control_asset_##name, 1, gb_control_asset_##name##_size, to)

void gb_view_put_live(FILE *to, const gb_view *view)
{
    fprintf(to, "{\"live\":true,\"token\":\"%s\",", view->token);
    gb_view_json_machine(to, view);
    fputs("}", to);
}

/* The page's text with "@STYLE@", "@DATA@" and "@SCRIPT@" replaced. */
static void put_page(FILE *to, const gb_view *view, gb_view_put_fn put)
{
    const char *text = (const char *)gb_control_asset_view_html;
    const char *end = text + gb_control_asset_view_html_size;
    for (const char *at = text; at < end; at++) {
        size_t left = (size_t)(end - at);
        if (left > 7 && memcmp(at, "@STYLE@", 7) == 0) {
            PUT_ASSET(to, view_css);
            at += 6;
        } else if (left > 8 && memcmp(at, "@SCRIPT@", 8) == 0) {
            PUT_ASSET(to, view_data_js);
            PUT_ASSET(to, view_plot_js);
            PUT_ASSET(to, view_js);
            at += 7;
        } else if (left > 6 && memcmp(at, "@DATA@", 6) == 0) {
            put(to, view);
            at += 5;
        } else {
            fputc(*at, to);
        }
    }
}

gb_status gb_view_page(const gb_view *view, gb_view_put_fn put, char **out, size_t *out_size)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    if (!to)
        return gb_fail(GB_ERR_MEMORY, "view: no memory for the page");
    put_page(to, view, put);
    bool whole = !ferror(to);
    whole = fclose(to) == 0 && whole;
    if (!whole) {
        free(text);
        return gb_fail(GB_ERR_MEMORY, "view: no memory for the page");
    }
    *out = text;
    *out_size = size;
    return GB_OK;
}
