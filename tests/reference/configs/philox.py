# Philox 4x32-10 in whole numbers of Python, from the paper's text (Salmon et al. 2011, section 3.3): prints the known
# answers that tests/configs/philox_test.cpp holds, computed without this project's code.
# python3 philox.py      any Python 3
def philox4x32(counter, key, rounds=10):
    c, k, mask = list(counter), list(key), 0xFFFFFFFF
    for _ in range(rounds):
        low, high = c[0] * 0xD2511F53, c[2] * 0xCD9E8D57
        c = [(high >> 32) ^ c[1] ^ k[0], high & mask, (low >> 32) ^ c[3] ^ k[1], low & mask]
        k = [(k[0] + 0x9E3779B9) & mask, (k[1] + 0xBB67AE85) & mask]
    return c


ONES = 0xFFFFFFFF
for counter, key in [
    ([0] * 4, [0] * 2),
    ([ONES] * 4, [ONES] * 2),
    ([0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344], [0xA4093822, 0x299F31D0]),
]:
    print(" ".join(f"{word:08x}" for word in philox4x32(counter, key)))
