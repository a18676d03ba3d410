/* The natural order of names that end in numbers. */
#include "ingest/natural.h"

#include <ctype.h>
#include <string.h>

/* Compares the numbers that both texts go on with, and goes to their last digits. */
static int compare_numbers(const unsigned char **a, const unsigned char **b)
{
    size_t zeros_a = strspn((const char *)*a, "0"), zeros_b = strspn((const char *)*b, "0");
    const unsigned char *x = *a + zeros_a, *y = *b + zeros_b;
    size_t size_x = strspn((const char *)x, "0123456789");
    size_t size_y = strspn((const char *)y, "0123456789");
    int order = size_x != size_y ? (size_x < size_y ? -1 : 1) : memcmp(x, y, size_x);
    if (order == 0 && zeros_a != zeros_b)
        order = zeros_a < zeros_b ? -1 : 1;
    *a = x + size_x - 1;
    *b = y + size_y - 1;
    return order;
}

int gb_natural_compare(const char *a, const char *b)
{
    const unsigned char *x = (const unsigned char *)a, *y = (const unsigned char *)b;
    for (; *x && *y; x++, y++) {
        if (!isdigit(*x) || !isdigit(*y)) {
            if (*x != *y)
                return *x < *y ? -1 : 1;
            continue;
        }
        int order = compare_numbers(&x, &y);
        if (order != 0)
            return order;
    }
    return (*x > 0) - (*y > 0);
}
