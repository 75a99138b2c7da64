// SPDX-License-Identifier: Apache-2.0
// Notices that the fleet repeats its desired on one connection. It does so when it has come back itself, and then
// knows nothing of a device whose broker was there all the time: the device says everything again, after a
// pause by chance, since all others do the same.

export interface Echo {
  heard(text: string): void;
  /** A new connection, or none: what was heard before does not count. */
  reset(): void;
}

export function echoOf(pauseMsMax: number, onEcho: () => void): Echo {
  let last: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  return {
    heard: (message) => {
      const text = message.trim(); // what a person published from a file ends in a newline
      const isRepeat = text === last;
      last = text;
      if (!isRepeat || timer !== undefined) return;
      timer = setTimeout(() => {
        timer = undefined;
        onEcho();
      }, Math.random() * pauseMsMax);
      timer.unref();
    },
    reset: () => {
      last = undefined;
      clearTimeout(timer);
      timer = undefined;
    },
  };
}
