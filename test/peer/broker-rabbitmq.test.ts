import { needs } from '../kit/needs.js';
import { mainJob, wipedInMidRollout } from '../kit/world/broker-story.js';

// It takes minutes, and a device that RabbitMQ learns of late waits longer each time it is refused.
const full = process.env['PEER'] === 'full' ? [] : ['PEER=full'];
const peer = needs(['root', 'nft', 'ip', 'rabbitmq-server', ...full]);

peer('RabbitMQ carries a rollout in place of the embedded broker, and keeps devices apart', (t) =>
  mainJob(t, 'rabbitmq'),
);

peer('a RabbitMQ that lost everything in mid-rollout is filled again, and the rollout ends', (t) =>
  wipedInMidRollout(t, 'rabbitmq'),
);
