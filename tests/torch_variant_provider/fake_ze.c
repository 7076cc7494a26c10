/* A stand-in for libze_loader.so.1, driven by environment variables:
 *   FAKE_XPUS      "20.1.0,code5,nvidia,12.60.7": device IP versions; codeN: that GPU fails with code N;
 *                  `nvidia`: a GPU of another vendor
 *   FAKE_ZE_CODE   return code of zeInit and zeInitDrivers; FAKE_ZE_DEVICES_CODE that of zeDeviceGet
 *   FAKE_ZE_ABORT: abort there; FAKE_ZE_SLEEP_MS: how long it takes
 * As the real one, it shows nothing when ZE_AFFINITY_MASK names no device. Built with -DOLD it lacks
 * zeInitDrivers. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define API __attribute__((visibility("default")))

struct base { uint32_t type; void *next; };
struct ip { uint32_t type; void *next; uint32_t version; };
struct properties { uint32_t type; void *next; uint32_t kind, vendor; char rest[360 - 24]; };

static int number(const char *name, int otherwise) {
    const char *text = getenv(name);
    return text && *text ? atoi(text) : otherwise;
}

static int gpu(uint32_t index, char *text, size_t length) {
    const char *at = getenv("FAKE_XPUS");
    if (!at || !*at || getenv("ZE_AFFINITY_MASK")) return 0;
    for (; index; index--) {
        at = strchr(at, ',');
        if (!at) return 0;
        at++;
    }
    snprintf(text, length, "%.*s", (int)strcspn(at, ","), at);
    return 1;
}

static int init(void) {
    printf("chatter of level zero\n");
    if (getenv("FAKE_ZE_ABORT")) abort();
    if (number("FAKE_ZE_SLEEP_MS", 0)) usleep(1000u * (unsigned)number("FAKE_ZE_SLEEP_MS", 0));
    return number("FAKE_ZE_CODE", 0);
}

static int drivers(uint32_t *count, void **handles) {
    *count = 1;
    if (handles) handles[0] = (void *)(uintptr_t)0x1122334455667788;
    return 0;
}

#ifndef OLD
API int zeInitDrivers(uint32_t *count, void **handles, void *description) {
    struct base *of = description;
    int code = handles ? 0 : init();
    if (of->type != 0x00020021) return 0x78000004;
    return code ? code : drivers(count, handles);
}
#endif
API int zeInit(uint32_t flags) { return flags == 1 ? init() : 0x78000004; }
API int zeDriverGet(uint32_t *count, void **handles) { return drivers(count, handles); }

API int zeDeviceGet(void *driver, uint32_t *count, void **handles) {
    char text[32];
    uint32_t found = 0;
    if (driver != (void *)(uintptr_t)0x1122334455667788) return 0x78000005;
    while (gpu(found, text, sizeof text)) {
        if (handles && found < *count) handles[found] = (void *)((uintptr_t)0x7f0000000000 + found);
        found++;
    }
    *count = found;
    return number("FAKE_ZE_DEVICES_CODE", 0);
}
API int zeDeviceGetProperties(void *device, struct properties *properties) {
    char text[32];
    unsigned architecture, release, revision;
    struct ip *ip = properties->next;
    if (properties->type != 3 || !ip || ip->type != 0x1000F) return 0x78000004;
    if (!gpu((uint32_t)((uintptr_t)device - 0x7f0000000000), text, sizeof text)) return 0x78000005;
    if (!strncmp(text, "code", 4)) return atoi(text + 4);
    memset(properties->rest, 0xff, sizeof properties->rest);
    properties->vendor = strcmp(text, "nvidia") ? 0x8086 : 0x10de;
    ip->version = 20u << 22 | 4u << 14 | 4u;
    if (sscanf(text, "%u.%u.%u", &architecture, &release, &revision) == 3)
        ip->version = architecture << 22 | release << 14 | revision;
    return 0;
}
