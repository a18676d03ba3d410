/* Private to ingest: names in the order people mean. */
#ifndef GENBA_INGEST_NATURAL_H
#define GENBA_INGEST_NATURAL_H

/* Digits compare as numbers, everything else as bytes: demo_2 before demo_10. 0 only for equals. */
int gb_natural_compare(const char *a, const char *b);

#endif
