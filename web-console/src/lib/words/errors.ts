// The server's error codes as sentences. A code that is not here shows the server's own message,
// which is in the language shown when it was asked: so do those whose sentence has something in it (how large, which field).
// Not here: where the sentence appears. That is always next to what failed, never a toast.
import type { Language } from './locale.svelte';

const sentences: Record<string, Record<Language, string>> = {
  offline: {
    vi: 'Không tới được máy chủ. Kiểm tra mạng rồi thử lại.',
    en: 'The server cannot be reached. Check the network and try again.'
  },
  invalid_credentials: {
    vi: 'Tên đăng nhập hoặc mật khẩu không đúng.',
    en: 'The user name or the password is wrong.'
  },
  invalid_code: {
    vi: 'Mã không đúng, hoặc đã dùng rồi. Chờ mã mới trên điện thoại rồi nhập lại.',
    en: 'The code is wrong, or was used already. Wait for a new one on the phone and type that.'
  },
  passkey_cancelled: {
    vi: 'Chưa dùng được khóa truy cập: đã hủy, hoặc máy này không có khóa nào của bạn.',
    en: 'The passkey was not used: cancelled, or this device has none of yours.'
  },
  unauthenticated: {
    vi: 'Phiên làm việc đã hết. Mời đăng nhập lại.',
    en: 'Your session has ended. Please sign in again.'
  },
  no_file: {
    vi: 'Hãy chọn một tệp âm thanh.',
    en: 'Choose an audio file.'
  },
  sound_unplayable: {
    vi: 'Trình duyệt này không phát được âm thanh của bản tin (Ogg Opus).',
    en: 'This browser could not play the bulletin’s sound (Ogg Opus).'
  },
  empty_file: {
    vi: 'Tệp rỗng.',
    en: 'The file is empty.'
  },
  not_audio: {
    vi: 'Tệp không phải âm thanh thuộc loại đã biết (MP3, AAC/M4A, FLAC, WAV, Ogg Vorbis, Opus).',
    en: 'The file is not audio of a known kind (MP3, AAC/M4A, FLAC, WAV, Ogg Vorbis, Opus).'
  },
  no_audio_track: {
    vi: 'Trong tệp không có âm thanh.',
    en: 'There is no audio in the file.'
  },
  setup_closed: {
    vi: 'Đường dẫn này đã dùng rồi hoặc đã hết hạn.',
    en: 'This link has been used, or has expired.'
  },
  link_closed: {
    vi: 'Đường dẫn này đã dùng rồi, đã hết hạn hoặc đã được thay bằng đường dẫn mới.',
    en: 'This link has been used, has expired, or was replaced by a newer one.'
  },
  not_approved: {
    vi: 'Bản tin chưa được duyệt.',
    en: 'The bulletin is not approved.'
  },
  expired: {
    vi: 'Bản tin đã hết hạn vào lúc đó.',
    en: 'The bulletin has expired by then.'
  },
  in_use: {
    vi: 'Chưa xóa được: còn dùng trong buổi phát, lịch phát, danh sách phát hoặc câu thu sẵn.',
    en: 'Not deleted: broadcasts, schedules, playlists or recorded phrases still need it.'
  },
  over: {
    vi: 'Buổi phát đã kết thúc.',
    en: 'The broadcast is over.'
  },
  busy: {
    vi: 'Máy chủ đang bận. Thử lại sau ít giây.',
    en: 'The server is busy. Try again in a few seconds.'
  },
  internal: {
    vi: 'Máy chủ gặp lỗi. Xem nhật ký máy chủ.',
    en: 'The server met an error. See its log.'
  },
  // From a proxy before the server; the server's own `too_large` says how much is allowed.
  http_413: {
    vi: 'Tệp lớn quá mức máy chủ cho phép.',
    en: 'The file is larger than the server allows.'
  }
};

/** What the server (or the lack of one) said: its code, its own sentence, and field by field what is wrong. */
export type Problem = { code: string; message: string; fields?: Record<string, string>; /** When to try again, in milliseconds of the epoch. */ until?: number };

/** The sentence to show for `problem` in `language`. */
export function sentence(problem: Problem, language: Language): string {
  return sentences[problem.code]?.[language] ?? (problem.message || problem.code);
}
