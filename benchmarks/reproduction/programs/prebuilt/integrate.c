#include <stdio.h>
int main(void) {
    double t, n, last_t = 0, last_n = 0, area = 0;
    int first = 1;
    if (scanf("%*[^\n]") < 0) return 1;
    while (scanf("%lf,%lf", &t, &n) == 2) {
        if (!first) area += 0.5 * (n + last_n) * (t - last_t);
        first = 0; last_t = t; last_n = n;
    }
    printf("area: %.4f\n", area);
    return 0;
}
