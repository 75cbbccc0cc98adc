// Which bulletins may be put into a playlist. The server judges again.
import { serverNow, type Bulletin } from '../api/client';

export const fits = ({ state, class: klass, expires_at }: Bulletin) =>
  state === 'approved' && klass !== 'emergency' && (expires_at === undefined || Date.parse(expires_at) > serverNow());
