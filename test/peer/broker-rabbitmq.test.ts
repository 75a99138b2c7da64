import { needs } from '../kit/needs.js';
import { mainJob, wipedInMidRollout } from '../kit/world/broker-story.js';

const peer = needs(['root', 'nft', 'ip', 'rabbitmq-server']);

peer('RabbitMQ carries a rollout in place of the embedded broker, and keeps devices apart', (t) =>
  mainJob(t, 'rabbitmq'),
);

peer('a RabbitMQ that lost everything in mid-rollout is filled again, and the rollout ends', (t) =>
  wipedInMidRollout(t, 'rabbitmq'),
);
